"""A real gateway process that may have 256 MB, and what its answers cost it.

Two bounds: RLIMIT_DATA, which counts the private memory that a process has asked for and makes more of it fail, and the
peak of what it really had in memory (VmHWM), which is compared with what a function of 256 MB leaves to it. Answers
are judged by the processor time that the process took for them.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

MEMORY = 256 * 1024 * 1024
PEAK = 200 * 1024 * 1024
"""Bytes for the process, of which the web adapter and the runtime need the rest; the adapter's peak was 26 MB."""
SECONDS = 2.0
"""Of processor time, for an answer, on a core that has nothing else to do (`in_time`)."""
_LOOP = 0.037
"""Seconds of processor time for the loop of `in_time`, on such a core."""
_EXCEPTION = re.compile(r"^Traceback.*\n(?:  .*\n)*(.+)", re.MULTILINE)
_TICK = os.sysconf("SC_CLK_TCK")


class Limited:
    """A process, its address, and a client of it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self._process = process
        self._log = log
        self._read = 0
        """Bytes of the log that were looked at."""
        self.url = url
        self.client = httpx.Client(base_url=url, timeout=60)

    def cost(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def peak(self) -> int:
        """Bytes that it had in memory at most, since the last request began."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    @property
    def lives(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def failures(self) -> list[str]:
        """The last line of each exception that it logged since it was asked for them."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            written = log.read().decode(errors="replace")
            self._read = log.tell()
        return [part.partition("\n")[0] for part in _EXCEPTION.findall(written)]

    def ask(self, path: str, body: bytes, seconds: float = SECONDS) -> tuple[httpx.Response, list[str]]:
        """The answer to a request in JSON, and what is wrong with it: more than so many `seconds`, for one."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        before = self.cost()
        answer = self.client.post(path, content=body, headers={"content-type": "application/json"})
        took = self.cost() - before
        wrong = [] if in_time(took, seconds) else [f"{took:.1f} s"]
        wrong += [] if self.lives else ["the process is gone"]
        wrong += self.failures()
        if self.peak() > PEAK:
            wrong.append(f"{self.peak() // 1024 // 1024} MB")
        return answer, wrong


def in_time(took: float, seconds: float = SECONDS) -> bool:
    """Whether an answer that took so much processor time is within `seconds` of a core that has nothing else to do.

    Programs that run beside share the core's caches and units, so the same work takes up to three times as much. A loop
    that runs right after the answer shows how much that is now.
    """
    if took <= seconds:
        return True
    began, opened, text = time.process_time(), 0, "{}," * 200_000
    for char in text:
        opened += (char == "{") - (char == "}")
    return took <= seconds * (time.process_time() - began) / _LOOP


@contextmanager
def limited(registry: Path, **environment: str) -> Iterator[Limited]:
    """`python -m gateway_lambda` over a registry file, within the bounds."""
    log = registry.with_suffix(".log")
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
        "GATEWAY_REGISTRY": f"file:{registry}",
        "GATEWAY_LOG": "info",
        "PORT": "0",
        **environment,
    }
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "gateway_lambda"], env=given, stderr=file)
    found: Limited | None = None
    try:
        found = Limited(process, _address(process, log), log)
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY, MEMORY))
        yield found
    finally:
        if found is not None:
            found.client.close()
        process.kill()
        process.wait(10)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up:
        _, found, rest = log.read_text(errors="replace").partition("running on ")
        if found and "\n" in rest:
            return rest.split()[0]
        time.sleep(0.02)
    raise AssertionError(f"it did not start: {log.read_text(errors='replace')}")
