"""How long a function that is not there yet takes to its first byte, through the real web adapter."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lambda_function.function import function, wait_until_ready
from tests.lambda_function.service import Answer, service
from tests.lambda_function.task_root import lay_out
from tests.registry.scripted_dynamodb import scripted_dynamodb


@dataclass(frozen=True)
class ColdStart:
    """Seconds from the start of the function's processes."""

    ready: float
    """Until the adapter asks for the first event: what Lambda calls initialization."""
    first_byte: float
    """Until the first byte of the body of a run's own service: after a look at the registry and the run's answer."""


def cold_starts(rounds: int) -> list[ColdStart]:
    """One measurement a round, each with new processes. `lambda-adapter` has to be on PATH.

    As on Lambda, whose folder is read-only, every module is compiled at every start.
    """
    with tempfile.TemporaryDirectory() as name:
        task_root = Path(name) / "task"
        path = lay_out(task_root)
        return [measure(task_root, path) for _ in range(rounds)]


def measure(task_root: Path, path: Path) -> ColdStart:
    """One cold start of what lies in `task_root`; `path` is a folder with its `python3`."""
    with scripted_dynamodb() as table, service() as balancer:
        table.put_run("web", host="web.example.org")
        balancer.answers = lambda asked: Answer(body=b"ok")
        environment = {
            **table.environment,
            "GATEWAY_DOMAIN": "example.org",
            "GATEWAY_REGISTRY": "dynamodb:registry-1",
            "GATEWAY_UPSTREAM": balancer.url,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        began = time.monotonic()
        with function(task_root, path, environment) as running:
            invocation = running.invoke("GET", "/", host="web.example.org")
            wait_until_ready(running)
            first = invocation.piece(0)
            return ColdStart(running.api.waiting_since - began, first.at - began)


if __name__ == "__main__":
    for one in cold_starts(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        print(f"ready {one.ready:.3f} s, first byte {one.first_byte:.3f} s")
