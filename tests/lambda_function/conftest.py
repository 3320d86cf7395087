"""The function, its registry and a service behind it. Skipped with a reason where there is no web adapter."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.lambda_function.function import Function, function, wait_until_it_has_the_registry, wait_until_ready
from tests.lambda_function.service import Answer, Service, service
from tests.lambda_function.task_root import lay_out
from tests.registry.scripted_dynamodb import Table, scripted_dynamodb
from tests.support.requirements import require

DOMAIN = "example.org"


@dataclass(frozen=True)
class TaskRoot:
    """What Lambda unpacks, and a folder for PATH."""

    folder: Path
    path: Path


@pytest.fixture(scope="session")
def task_root(unpacked: TaskRoot) -> TaskRoot:
    """For the real web adapter."""
    require("lambda-adapter")
    return unpacked


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> TaskRoot:
    folder = tmp_path_factory.mktemp("function") / "task"
    return TaskRoot(folder, lay_out(folder))


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    """The registry: runs `web`, `locked` and `chat`, behind one load balancer."""
    with scripted_dynamodb() as table:
        table.put_run("web", host=f"web.{DOMAIN}")
        table.put_run("locked", host=f"locked.{DOMAIN}", auth=True)
        model = {
            "name": "m",
            "chat_template": "{{ messages[0]['content'] }}",
            "eos_token": "</s>",
            "strip_bos": "never",
        }
        table.put_run("chat", host=f"chat.{DOMAIN}", model=model)
        table.put("key#alice", sha256={"S": sha256(b"ss-alice").hexdigest()})
        yield table


@pytest.fixture(scope="module")
def balancer() -> Iterator[Service]:
    """The load balancer, and behind it every run's service."""
    with service() as served:
        yield served


@pytest.fixture(scope="module")
def environment(table: Table, balancer: Service) -> dict[str, str]:
    """The function's variables."""
    return {
        **table.environment,
        "GATEWAY_DOMAIN": DOMAIN,
        "GATEWAY_PLAIN_TIMEOUT": "285",
        "GATEWAY_REGISTRY": "dynamodb:registry-1",
        "GATEWAY_UPSTREAM": balancer.url,
    }


@pytest.fixture(scope="module")
def served(task_root: TaskRoot, environment: dict[str, str]) -> Iterator[Function]:
    with function(task_root.folder, task_root.path, environment) as running:
        wait_until_ready(running)
        wait_until_it_has_the_registry(running)
        print(f"lambda-adapter: {named_adapter(running)}")
        yield running


@pytest.fixture
def web(balancer: Service) -> Service:
    """The service of the run `web`, which answers `ok` until told otherwise."""
    balancer.answers = lambda asked: Answer(body=b"ok")
    balancer.asked.clear()
    return balancer


def named_adapter(running: Function) -> str:
    """Which adapter it is: it has no word for its version, but its runtime client has, and the file its digest."""
    file = Path(shutil.which("lambda-adapter") or "")
    return f"{running.api.user_agent}, sha256 {sha256(file.read_bytes()).hexdigest()[:16]}"
