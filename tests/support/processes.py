"""Real processes in tests: started with a private environment, read line by line, ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Process:
    """A running program whose output is collected as it comes."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self.command = list(command)
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._closed = False
        self._popen = subprocess.Popen(
            self.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        with self._news:
            return "".join(self._lines)

    def wait_for(self, found: Callable[[str], bool] | str, *, within: float = 60) -> str:
        """Wait until the output so far satisfies `found` (or contains it); returns that output."""
        satisfied = found if callable(found) else lambda output: found in output
        with self._news:
            self._news.wait_for(lambda: satisfied("".join(self._lines)) or self._closed, timeout=within)
            output = "".join(self._lines)
        if not satisfied(output):
            how = "ended" if self._closed else f"did not get there within {within} s"
            raise AssertionError(f"{self.command} {how}; its output:\n{output}")
        return output

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, *, within: float = 30) -> int:
        """The exit status; an error when it does not end in time."""
        status = self._popen.wait(within)
        self._reader.join(within)
        return status

    def end(self) -> None:
        """Stop it as Ctrl-C in a terminal would, and whatever of its session is left the hard way."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGINT)
        try:
            self._popen.wait(60)
        finally:
            self._kill()

    def end_as_lambda(self) -> None:
        """Stop it as Lambda does: SIGTERM, and SIGKILL for what is still there 2 s later, which is no error."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(2)
        finally:
            self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait(60)
        self._reader.join(60)
        if self._popen.stdout is not None:
            self._popen.stdout.close()

    def _read(self) -> None:
        if self._popen.stdout is None:
            return
        for line in self._popen.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._closed = True
            self._news.notify_all()


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    end: Callable[[Process], None] = Process.end,
) -> Iterator[Process]:
    """A process for the time of the block. `end`: how it is stopped."""
    process = Process(command, env=env or {}, cwd=cwd)
    try:
        yield process
    finally:
        end(process)


def python(*arguments: str) -> list[str]:
    """A command line for this environment's Python."""
    return [sys.executable, *arguments]


def free_port() -> int:
    """A port of 127.0.0.1 that is free, for programs that cannot say which one they took.

    To those who name none, Linux gives ports from 32768 on (ip_local_port_range), and macOS from 49152 on. So nobody
    gets this one by chance before the program binds it.
    """
    while True:
        # Not of `random`, because a test can give that a seed.
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def stat_of(pid: int) -> list[str]:
    """State, parent, group, session … of a process (proc(5), from its third field); empty: it has ended, and its parent
    knows."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def runs(pid: int) -> bool:
    """Whether a process runs. One whose end nobody has asked for stays in the list of processes."""
    return stat_of(pid)[:1] not in ([], ["Z"])


def wait_until(true: Callable[[], bool], *, within: float = 60, what: str = "the condition") -> None:
    """Ask again and again, briefly apart, until it holds; for what gives no event to wait on."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not hold within {within} s")
        time.sleep(0.02)
