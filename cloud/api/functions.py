"""All functions of the cloud, in the versions that the control plane has."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cloud.api.instance import FunctionFailed, Surroundings
from cloud.api.log_lines import LogLines
from cloud.api.metrics import Metrics
from cloud.api.runtime_api import Invocation, check_size
from cloud.api.task_root import lay_out
from cloud.api.version import Version

KEPT = 300.0
"""Seconds that an idle instance is kept. Lambda says no number; people measure 5 to 15 minutes."""
MOST = 64
"""Instances of a function on this machine. Lambda itself runs 1,000 in an account."""


class Functions:
    """Functions by their ARN."""

    def __init__(
        self,
        *,
        code: Callable[[str, str], bytes],
        folder: Path,
        around: Surroundings,
        lines: LogLines,
        metrics: Metrics,
        most: int = MOST,
        kept: float = KEPT,
    ) -> None:
        """`code` returns the zip of a function, by region and name. It may wait. `folder` is for unpacked zips."""
        self._code = code
        self._folder = folder
        self._around = around
        self._lines = lines
        self._metrics = metrics
        self._most = most
        self._kept = kept
        self._versions: dict[str, Version] = {}
        self._old: list[Version] = []

    async def update(self, described: Sequence[Mapping[str, Any]]) -> None:
        """Apply what the control plane says about functions. A change of a function ends its instances after their
        events."""
        wanted = {each["arn"]: each for each in described}
        before = self._versions
        # All are replaced in one step, so a function that has changed is never missing.
        self._versions = {
            arn: before[arn] if arn in before and before[arn].function == function else self._new(function)
            for arn, function in wanted.items()
        }
        retired = [version for arn, version in before.items() if self._versions.get(arn) is not version]
        self._old += retired
        await asyncio.gather(*(version.retire() for version in retired))

    async def invoke(self, arn: str, event: bytes) -> Invocation:
        """Give a function an event, and return the invocation as soon as an instance has it.

        Raises:
            EventTooLarge: Lambda does not take the event.
            Throttled: the function has as many events as it can have.
            FunctionFailed: the function does not exist, or does not start.
        """
        version = self._versions.get(arn)
        if version is None:
            raise FunctionFailed(f"there is no function {arn}")
        check_size(event)
        return await version.invoke(event)

    async def tidy(self) -> None:
        """End instances that were idle for a long time."""
        before = time.monotonic() - self._kept
        self._old = [version for version in self._old if not version.is_over]
        await asyncio.gather(*(version.end_idle(before) for version in self._versions.values()))

    async def close(self) -> None:
        """End every instance, also one that has a request."""
        await asyncio.gather(*(version.kill() for version in [*self._old, *self._versions.values()]))

    def _new(self, function: Mapping[str, Any]) -> Version:
        return Version(
            function,
            laid_out=self._laid_out,
            around=self._around,
            lines=self._lines,
            metrics=self._metrics,
            most=self._most,
        )

    async def _laid_out(self, function: Mapping[str, Any]) -> Path:
        """Return the folder with a function's code, unpacked. Raises `WrongPackages`."""
        name = sha256(f"{function['arn']} {function['code_sha256']}".encode()).hexdigest()[:16]
        folder = self._folder / f"{function['name']}-{name}"
        if not folder.exists():
            await asyncio.to_thread(self._lay_out, function, folder)
        return folder

    def _lay_out(self, function: Mapping[str, Any], folder: Path) -> None:
        making = folder.with_suffix(f".{time.monotonic_ns()}")
        making.mkdir(parents=True)
        try:
            lay_out(self._code(function["region"], function["name"]), making)
            with contextlib.suppress(OSError):  # another instance was faster
                making.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
