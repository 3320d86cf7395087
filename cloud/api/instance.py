"""One instance of a function: its programs, and one event at a time."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from cloud.api.adapter import Adapter
from cloud.api.processes import Program, peak_memory, started
from cloud.api.runtime_api import Invocation, RuntimeApi
from cloud.api.serving import listens
from local.serving import held

_LAST_WORDS = 0.3
"""Seconds between SIGTERM and SIGKILL of a function with an extension (Lambda runtime environment lifecycle)."""


class FunctionFailed(Exception):
    """A function did not start, or ended."""


@dataclass(frozen=True)
class Surroundings:
    """What all functions of this machine get."""

    control_plane: str
    """Its URL."""
    path: str
    """Folders for PATH: `python3` and the tools of start scripts."""
    adapter: str | None
    """The Lambda Web Adapter's program; `None`: `Adapter` plays it."""
    marks: Mapping[str, str]
    """Variables by which processes that were left running are found."""


class Owner(Protocol):
    """What an instance reports to."""

    def is_idle(self, instance: Instance) -> None:
        """The instance waits for an event."""
        ...

    def has_ended(self, instance: Instance, reason: str) -> None:
        """A program of the instance ended by itself, did not start, or took too long. `end` ends the others."""
        ...

    def has_answered(self, seconds: float, *, failed: bool) -> None:
        """The instance has answered an event, after these seconds."""
        ...

    def says(self, stream: str, line: str) -> None:
        """The instance has written a line for a log stream."""
        ...


class Instance:
    """Starts a function's programs, gives them events, and ends them."""

    def __init__(self, function: Mapping[str, Any], task_root: Path, around: Surroundings, owner: Owner) -> None:
        self._function = function
        self._task_root = task_root
        self._around = around
        self._owner = owner
        self._stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{secrets.token_hex(16)}"
        self._runtime = RuntimeApi(
            {**function, "function_name": function["name"], "version": "$LATEST"}, idle=self._asks
        )
        self._place = held()  # the port of the function's web server
        self._programs: list[Program] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._current: Invocation | None = None
        self._began = 0.0
        self._initial: float | None = None
        """Seconds of the initialization, until a report has them."""
        self._timer: asyncio.TimerHandle | None = None
        self._ending = False
        self._over = False
        """It gets no more events."""
        self.initialized = asyncio.Event()
        """It asked for an event, or ended before."""
        self.was_ready = False
        self.since = time.monotonic()
        """Since when it is idle."""

    async def start(self) -> None:
        """Start its programs. Later, its owner's `is_idle` is called, or `has_ended`."""
        self._began = time.monotonic()
        self._say(f"INIT_START Runtime Version: {self._function['runtime']}")
        try:
            await self._runtime.start()
            port = self._place.getsockname()[1]
            environment = self._environment(port)
            await self._run([str(self._task_root / self._function["handler"])], environment, self._task_root)
            if self._around.adapter is None:
                beside = asyncio.create_task(Adapter(self._runtime, port).run())
                beside.add_done_callback(self._adapter_ended)
                self._tasks.append(beside)
            else:
                await self._run([self._around.adapter], environment, Path("/"))
        except OSError as problem:
            self._failed(f"{self._function['handler']} cannot be started: {problem.strerror}")

    def hand(self, invocation: Invocation) -> None:
        """Give an idle instance an event."""
        self._current = invocation
        self._began = time.monotonic()
        self._say(f"START RequestId: {invocation.id} Version: $LATEST")
        left = max(0.0, invocation.deadline - time.time())
        self._timer = asyncio.get_running_loop().call_later(left, self._timed_out)
        self._runtime.hand(invocation)

    async def end(self) -> None:
        """End its programs as Lambda does."""
        if self._ending:
            return
        self._ending = self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for program in self._programs:
            program.signal(signal.SIGTERM)
        ends = [program.ended for program in self._programs]
        if ends:
            await asyncio.wait(ends, timeout=_LAST_WORDS)
        for program in self._programs:
            program.signal(signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*ends, *self._tasks, return_exceptions=True)
        await self._runtime.close()
        self._place.close()

    def _asks(self) -> None:
        """Note that it asks for an event: it is initialized, or has answered the last event."""
        if self._over:
            return
        now = time.monotonic()
        failed = False
        if self._current is None:
            self._initial = now - self._began
        else:
            failed = self._current.kind != "response"
            self._report(self._current, now - self._began, failed=failed)
        self.was_ready = True
        self.initialized.set()
        if failed:
            self._tasks.append(asyncio.create_task(self._rests_if_it_lives()))
        else:
            self._rests()

    async def _rests_if_it_lives(self) -> None:
        """Rest once its server takes connections. One that has ended takes none, and its end can be noticed late."""
        await listens(self._place.getsockname()[1])
        self._rests()

    def _rests(self) -> None:
        if not self._over:
            self.since = time.monotonic()
            self._owner.is_idle(self)

    def _report(self, invocation: Invocation, seconds: float, *, failed: bool) -> None:
        self._current = None
        if self._timer is not None:
            self._timer.cancel()
        milliseconds = seconds * 1000
        words = [
            f"REPORT RequestId: {invocation.id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {int(milliseconds) + 1} ms",
            f"Memory Size: {self._function['memory']} MB",
            f"Max Memory Used: {sum(peak_memory(program.pid) for program in self._programs)} MB",
        ]
        if self._initial is not None:
            words.append(f"Init Duration: {self._initial * 1000:.2f} ms")
            self._initial = None
        self._say(f"END RequestId: {invocation.id}")
        self._say("\t".join(words))
        self._owner.has_answered(seconds, failed=failed)

    def _timed_out(self) -> None:
        seconds = self._function["timeout"]
        if self._current is not None:
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
            self._say(f"{now} {self._current.id} Task timed out after {seconds:.2f} seconds")
        self._failed(f"the function was ended after {seconds} s, which is its timeout")

    async def _run(self, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        program = await started(command, environment=environment, folder=folder, said=self._say)
        self._programs.append(program)
        program.ended.add_done_callback(lambda ended: self._program_ended(command[0], ended))

    def _program_ended(self, name: str, ended: asyncio.Task[int]) -> None:
        if not self._ending and not ended.cancelled():
            self._say(
                f"RequestId: {'' if self._current is None else self._current.id} Error: Runtime exited with error"
            )
            self._failed(f"{Path(name).name} ended with status {ended.result()}")

    def _adapter_ended(self, ended: asyncio.Task[None]) -> None:
        if not self._ending and not ended.cancelled():
            self._failed(f"the stand-in for the web adapter failed: {ended.exception()!r}")

    def _failed(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        invocation = self._current
        if invocation is not None:
            self._report(invocation, time.monotonic() - self._began, failed=True)
            self._tasks.append(asyncio.create_task(invocation.end(reason, broken=True)))
        self.initialized.set()
        self._owner.has_ended(self, reason)

    def _environment(self, port: int) -> Mapping[str, str]:
        function = self._function
        region = function["region"]
        given = {
            "AWS_ACCESS_KEY_ID": "cloud",
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self._around.control_plane,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function['runtime']}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["memory"]),
            "AWS_LAMBDA_FUNCTION_NAME": function["name"],
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function["log_group"],
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "AWS_LAMBDA_RUNTIME_API": self._runtime.address,
            "AWS_REGION": region,
            "AWS_SECRET_ACCESS_KEY": "cloud",
            "AWS_SESSION_TOKEN": "cloud",
            "LAMBDA_TASK_ROOT": str(self._task_root),
            "LANG": "en_US.UTF-8",
            "PATH": self._around.path,
            "TZ": ":UTC",
            "_HANDLER": function["handler"],
            **self._around.marks,
            **function["environment"],
        }
        # Instances of a machine share its ports. The adapter prefers AWS_LWA_PORT to PORT.
        return {**given, "PORT": str(port), "AWS_LWA_PORT": str(port)}

    def _say(self, line: str) -> None:
        self._owner.says(self._stream, line)
