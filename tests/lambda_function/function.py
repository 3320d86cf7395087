"""The function as Lambda runs it: its start script from the unpacked zip, and the real web adapter beside it, or what
`make cloud` has in its place."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.packaging.contents import START_SCRIPT
from tests.lambda_function import rest_api
from tests.lambda_function.runtime_api import Invocation, RuntimeApi, runtime_api
from tests.support.processes import Process, free_port, running, wait_until


@dataclass(frozen=True)
class Function:
    """A function that waits for events."""

    api: RuntimeApi
    gateway: Process
    adapter: Process | None
    """`None`: the stand-in, which has no process."""

    def invoke(self, method: str, path: str, **request: object) -> Invocation:
        """Send a request's event; the parts of the request are those of `rest_api.event`."""
        return self.api.invoke(rest_api.event(method, path, **request))  # type: ignore[arg-type]

    def ask(self, method: str, path: str, **request: object) -> rest_api.Response:
        """A request and its whole response."""
        return rest_api.response(self.invoke(method, path, **request))


@contextlib.contextmanager
def function(
    task_root: Path, path: Path, environment: Mapping[str, str], *, stand_in: bool = False
) -> Iterator[Function]:
    """The function in its own environment: nothing of this process's but what Lambda has too.

    `path`: what is on PATH. `environment`: the function's variables and credentials. `stand_in`: without the real web
    adapter.
    """
    adapter = shutil.which("lambda-adapter")
    if adapter is None and not stand_in:
        raise AssertionError("require('lambda-adapter') comes before")
    with runtime_api() as api:
        given = {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_NAME": "gateway",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/servestack/gateway",
            "AWS_LAMBDA_LOG_STREAM_NAME": "1",
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LWA_INVOKE_MODE": "response_stream",
            "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
            "LAMBDA_TASK_ROOT": str(task_root),
            "PATH": str(path),
            "PORT": str(free_port()),
            **environment,
        }
        with running([str(task_root / START_SCRIPT)], env=given, cwd=task_root) as gateway:
            if stand_in or adapter is None:
                api.play_adapter(int(given["PORT"]))
                yield Function(api, gateway, None)
                return
            with running([adapter], env=given, cwd=Path(os.sep), end=Process.end_as_lambda) as beside:
                yield Function(api, gateway, beside)


def wait_until_it_has_the_registry(running: Function) -> None:
    """Until the function has a copy of the table. It waits 3 s for the first copy, and answers 503 without one."""
    wait_until(lambda: running.ask("GET", "/v1/models").status == 200, what="a copy of the registry")


def wait_until_ready(running: Function, within: float = 60) -> None:
    """Until the adapter asks for the first event, as Lambda's initialization ends."""
    if not running.api.waiting.wait(within):
        adapter = running.adapter and running.adapter.output
        raise AssertionError(f"no event was asked for; gateway: {running.gateway.output}; adapter: {adapter}")
