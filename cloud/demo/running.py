"""Runs the steps of the demo, one after the other, and keeps what each took."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.demo.steps import Step

LONGEST = 600.0
"""Seconds that one step may take."""
_GUARD = "exec 3<&0 </dev/null; { read -r -u 3; kill -KILL 0; } >/dev/null 2>&1 & exec 3<&-; "
"""Standard input is the line to this process, as for local/child.py: when it ends, so does the whole step."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A step that was done."""

    title: str
    seconds: float
    answered: str
    failed: bool = False


async def run_steps(
    wanted: Sequence[Step], *, folder: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> list[Taken]:
    """Run the steps in `folder` until one fails, and return what was done. Each line of output is said at once."""
    taken: list[Taken] = []
    for number, step in enumerate(wanted, start=1):
        say(f"\n[{number}/{len(wanted)}] {step.title}")
        say(f"$ {step.command}")
        taken.append(await _run(step, folder, environment, say))
        if taken[-1].failed:
            break
    return taken


async def _run(step: Step, folder: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> Taken:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",
        "-c",
        _GUARD + step.command,
        cwd=folder,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    lines: list[str] = []

    async def read() -> int:
        while process.stdout is not None and (line := await process.stdout.readline()):
            lines.append(line.decode(errors="replace").rstrip())
            say(f"    {lines[-1]}")
        return await process.wait()

    try:
        status = await asyncio.wait_for(read(), LONGEST)
    except TimeoutError:
        status = None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    seconds = time.monotonic() - began
    if status is None:
        return Taken(title=step.title, seconds=seconds, answered=f"no end within {LONGEST:.0f} s", failed=True)
    answered = step.answered("\n".join(lines)) if status == 0 else None
    if answered is None:
        return Taken(title=step.title, seconds=seconds, answered=f"failed with status {status}", failed=True)
    return Taken(title=step.title, seconds=seconds, answered=answered)


def table(taken: Sequence[Taken]) -> str:
    """Return the table: step, seconds, what answered."""
    rows = [("step", "seconds", "what answered"), *((one.title, f"{one.seconds:.1f}", one.answered) for one in taken)]
    rows.append(("all", f"{sum(one.seconds for one in taken):.1f}", ""))
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{step:{first}}  {seconds:>{second}}  {answered}".rstrip() for step, seconds, answered in rows)
