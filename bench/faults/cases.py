"""The faults, and one run of each: a new gateway, four new replicas, numbered streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.faults.asking import Ends, ask_all
from bench.processes import ROOT, BenchError, running

FORMATS = ("tgi", "openai")
REPLICAS = 4
_TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
_TIMEOUTS = {"GATEWAY_CONNECT_TIMEOUT": 1, "GATEWAY_IDLE_TIMEOUT": 3, "GATEWAY_PLAIN_TIMEOUT": 3}
"""Seconds; shorter than the defaults, so that a row of the table takes seconds."""


@dataclass(frozen=True)
class Case:
    """`way`: how replicas fail: `kill`, `drop` (connections get no answer) or one of `bench.faults.replica.WAYS`.

    `failing`: how many replicas fail. `late`: they begin to fail after a fifth of the streams, and not at the start.
    """

    name: str
    way: str
    failing: int = 1
    late: bool = False


CASES = (
    Case("none", "well"),
    Case("dead", "kill"),
    Case("killed", "kill", late=True),
    Case("2 of 4 dead", "kill", failing=2),
    Case("3 of 4 dead", "kill", failing=3),
    Case("dropped SYNs", "drop"),
    Case("reset", "reset"),
    Case("reset, later", "reset", late=True),
    Case("reset, generations alone", "only-reset"),
    Case("closed without a byte", "close"),
    Case("closed, generations alone, later", "only-close", late=True),
    Case("garbage", "garbage"),
    Case("garbage, later", "garbage", late=True),
    Case("garbage, generations alone", "only-garbage"),
    Case("500", "500"),
    Case("hang", "hang"),
    Case("hang, later", "hang", late=True),
    Case("early end", "early"),
    Case("early end, later", "early", late=True),
    Case("broken half way", "break"),
    Case("broken half way, later", "break", late=True),
)


@dataclass(frozen=True)
class Row:
    """The result of one case. `repeated`: streams whose prompt arrived more than once, at any replica.

    `under_way`: how many streams the failing replicas had when they began to fail.
    """

    ends: Ends
    repeated: int
    under_way: int
    at_failing: int
    """Prompts that arrived at failing replicas after they began to fail."""
    seconds: float
    """How long all streams took together."""

    @property
    def heard(self) -> int:
        """The number of streams whose callers got an error."""
        return self.ends.counts.total() - self.ends.counts["whole"]


def run_case(case: Case, format: str, folder: Path, *, streams: int, at_once: int, patience: int = 1) -> Row:
    """Run one case, and end everything that it started. Raises `BenchError`.

    `patience`: how many times as long as usual the gateway waits, for a machine that stands still at times.
    """
    with contextlib.ExitStack() as held:
        replicas = [held.enter_context(_replica(folder / f"arrived-{number}")) for number in range(REPLICAS)]
        failing = replicas[: case.failing]
        urls = [f"http://127.0.0.1:{replica.port}" for replica in replicas]
        if case.way == "drop":
            urls[: case.failing] = [held.enter_context(_dropping()) for _ in failing]
        registry = folder / "registry.json"
        model = {"name": "m", "format": format}
        if format == "tgi":
            model |= {"chat_template": _TEMPLATE, "eos_token": "</s>"}
        registry.write_text(json.dumps({"services": [{"run": "r", "url": urls, "auth": False, "model": model}]}))
        timeouts = {name: str(patience * seconds) for name, seconds in _TIMEOUTS.items()}
        env = {**timeouts, "GATEWAY_REGISTRY": f"file:{registry}", "PORT": "0", "GATEWAY_LOG": "info"}
        log = folder / "gateway.log"
        child = held.enter_context(running([sys.executable, "-m", "gateway_lambda"], log, env))
        port = _port_of(child, log)
        under_way = before = 0

        def begin() -> None:
            nonlocal under_way, before
            before = sum(replica.arrived().total() for replica in failing)
            under_way = sum(replica.fail(case.way) for replica in failing)

        async def asked(number: int) -> None:
            if number == streams // 5 and case.late:
                await asyncio.to_thread(begin)

        if not case.late:
            begin()
        begun = time.monotonic()
        ends = asyncio.run(ask_all(port, streams, at_once, asked))
        seconds = time.monotonic() - begun
        arrived: Counter[int] = sum((replica.arrived() for replica in replicas), Counter())
        after = sum(replica.arrived().total() for replica in failing) - before
        return Row(ends, sum(times > 1 for times in arrived.values()), under_way, after, seconds)


class _Running:
    """A replica's process."""

    def __init__(self, child: subprocess.Popen[bytes], file: Path) -> None:
        self._child = child
        self._file = file
        self.port = self._line()

    def fail(self, way: str) -> int:
        """Let it fail, and return how many streams it had under way."""
        if way == "drop":
            return 0
        under_way = self._tell("well" if way == "kill" else way)
        if way == "kill":
            os.kill(self._child.pid, signal.SIGKILL)
            self._child.wait(10)
        return under_way

    def arrived(self) -> Counter[int]:
        """Return how many times each number arrived."""
        return Counter(int(line) for line in self._file.read_text().split())

    def _tell(self, way: str) -> int:
        if self._child.stdin is not None:
            self._child.stdin.write(way.encode() + b"\n")
            self._child.stdin.flush()
        return self._line()

    def _line(self) -> int:
        line = self._child.stdout.readline() if self._child.stdout is not None else b""
        if not line:
            raise BenchError("a replica ended early; its error stands above")
        return int(line)


@contextlib.contextmanager
def _replica(file: Path) -> Iterator[_Running]:
    file.write_text("")
    with socket.socket() as held:
        # Nobody else gets the port of a replica that was killed.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        command = [sys.executable, "-m", "bench.faults.replica", str(file), str(port)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            try:
                yield _Running(child, file)
            finally:
                child.kill()


@contextlib.contextmanager
def _dropping() -> Iterator[str]:
    """Return the address of a socket whose queue is full: connecting gets no answer, as from a machine that is gone."""
    with contextlib.ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _port_of(child: subprocess.Popen[bytes], log: Path) -> int:
    """The port on which a gateway says that it listens."""
    deadline = time.monotonic() + 120
    while True:
        said = re.search(r"running on http://127\.0\.0\.1:(\d+) ", log.read_text(errors="replace"))
        if said is not None:
            return int(said[1])
        if child.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"the gateway did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.02)
