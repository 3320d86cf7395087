"""Keeps tests to this machine and this run: loopback only, no caller's settings, nothing left running (a plugin).

Programs that tests start are held by the environment they are given: no proxy, no cloud account, no Hub.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.support import loopback

MARK = "SERVESTACK_TEST_RUN"
"""Set in this process and so in all it starts; how what is left running is found."""

_LEFT: list[str] = []
_ENDING = 15
"""Seconds for processes that end at the end of the run: workers, and children of programs that a test has killed."""

_DROPPED = ("AWS_", "DSTACK_", "GATEWAY_", "HF_", "HUGGING_FACE_", "OPENAI_", "PULUMI_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_KEPT = "SERVESTACK_TEST_PROXIES"
"""The proxies that the run was started with, as JSON: only programs that install packages use them."""
_NOWHERE = "http://127.0.0.1:9"
_CACHE = Path(__file__).parents[2] / ".cache" / "tests"
"""What `make local` keeps between starts. The choice of this machine's user must not change a test."""


_PATIENCE = 60.0
"""Seconds that httpx waits for an answer. By itself it waits for 5 s, and a busy machine can stand still for longer."""


def pytest_configure(config: pytest.Config) -> None:
    loopback.hold()
    # Every client copies this object, unless a test gives it another timeout.
    usual = httpx._config.DEFAULT_TIMEOUT_CONFIG
    usual.connect = usual.read = usual.write = usual.pool = _PATIENCE
    if hasattr(config, "workerinput"):
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever cancels a run leaves nothing running either
    os.environ[_KEPT] = json.dumps({name: os.environ[name] for name in (*_PROXIES, "NO_PROXY") if name in os.environ})
    for name in [name for name in os.environ if name.startswith(_DROPPED) or name in _PROXIES]:
        del os.environ[name]
    os.environ |= {
        MARK: f"{os.getpid()}-{secrets.token_hex(4)}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HF_ENDPOINT": _NOWHERE,
        "SERVESTACK_CACHE": str(_CACHE),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "*",
    }


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After the workers have gone, whatever carries the mark and does not end was left running by a test."""
    if hasattr(session.config, "workerinput"):
        return
    for pid, command in left_running(os.environ[MARK], within=_ENDING):
        _LEFT.append(f"{pid}  {command}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if _LEFT and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _LEFT:
        terminalreporter.section("left running by tests, and killed: this run fails")
        for line in _LEFT:
            terminalreporter.write_line(line)


def proxies() -> Mapping[str, str]:
    """Return the variables for proxies that the tests were started with, for programs that install packages."""
    return {"NO_PROXY": "", **json.loads(os.environ.get(_KEPT, "{}"))}


def left_running(mark: str, *, within: float) -> list[tuple[int, str]]:
    """As `marked`, of the processes that do not end by themselves `within` seconds."""
    end = time.monotonic() + within
    while (found := marked(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def marked(mark: str) -> list[tuple[int, str]]:
    """(process id, command line) of the processes that were started by this run and are still there."""
    wanted = f"{MARK}={mark}".encode()
    found: list[tuple[int, str]] = []
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if wanted in environment.split(b"\0") and command:
            found.append((pid, command))
    return found
