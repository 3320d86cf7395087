"""Starts and ends the processes of the bench: servers on ports that the system chooses, and the load generator."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from bench.load import Job, Outcome

ROOT = Path(__file__).parent.parent


class BenchError(RuntimeError):
    """A part of the bench failed. The message has what it printed."""


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child in its own process group, and end it with all its children. It prints into `log`."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        _end(child)


@contextlib.contextmanager
def canned_upstream() -> Iterator[tuple[int, int]]:
    """Run the upstream with fixed answers; yields its port and its process."""
    with _talking("bench.canned") as child:
        yield int(_line(child.stdout)), child.pid


@contextlib.contextmanager
def load_generator() -> Iterator[Generator]:
    """Run the load generator."""
    with _talking("bench.load") as child:
        yield Generator(child)


class Generator:
    """The process of the load generator, which does one job after the other."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def run(self, job: Job) -> Outcome:
        """Let it do `job`, and return the outcome. Raises `BenchError` if an answer was wrong."""
        if self._child.stdin is not None:
            self._child.stdin.write(msgspec.json.encode(job) + b"\n")
            self._child.stdin.flush()
        outcome = msgspec.json.decode(_line(self._child.stdout), type=Outcome)
        if outcome.problem:
            raise BenchError(f"{job.path} on port {job.port} answered: {outcome.problem}")
        return outcome


def wait_for_answer(child: subprocess.Popen[bytes], log: Path, job: Job, generator: Generator, within: float) -> None:
    """Ask until the first right answer. Raises `BenchError` if the child ends, or after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", job.port), 1):
            break
        if child.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{child.args} did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.01)
    try:
        generator.run(job)
    except BenchError as problem:
        raise BenchError(f"{problem}\n{log.read_text(errors='replace')[-4000:]}") from None


@contextlib.contextmanager
def _talking(module: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        yield child
    finally:
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        _end(child)


def _line(pipe: IO[bytes] | None) -> bytes:
    line = pipe.readline() if pipe is not None else b""
    if not line:
        raise BenchError("a part of the bench ended early; its error stands above")
    return line


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(10)
