"""Keeps tests to this machine and this run: loopback only, no caller's settings, nothing left running (a plugin).

The guard is an audit hook, so that it sees every connection that Python opens, whatever library opens it. Programs
that tests start are held by the environment they are given: no proxy, no cloud account, no Hub.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

MARK = "SERVESTACK_TEST_RUN"
"""Set in this process and so in all it starts; how what is left running is found."""

_LEFT: list[str] = []

_DROPPED = ("AWS_", "DSTACK_", "GATEWAY_", "HF_", "HUGGING_FACE_", "OPENAI_", "PULUMI_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_NOWHERE = "http://127.0.0.1:9"


class OutsideLoopback(RuntimeError):
    """A test reached for something beyond this machine."""


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(_refuse_the_outside)
    if hasattr(config, "workerinput"):
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever cancels a run leaves nothing running either
    for name in [name for name in os.environ if name.startswith(_DROPPED) or name in _PROXIES]:
        del os.environ[name]
    os.environ |= {
        MARK: f"{os.getpid()}-{secrets.token_hex(4)}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HF_ENDPOINT": _NOWHERE,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "*",
    }


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After the workers have gone, whatever still carries the mark was left running by a test."""
    if hasattr(session.config, "workerinput"):
        return
    for pid, command in marked(os.environ[MARK]):
        _LEFT.append(f"{pid}  {command}")
        os.kill(pid, signal.SIGKILL)
    if _LEFT and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _LEFT:
        terminalreporter.section("left running by tests, and killed: this run fails")
        for line in _LEFT:
            terminalreporter.write_line(line)


def _refuse_the_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" or event == "socket.sendto":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        raise OutsideLoopback(f"{event} to {host}: tests use loopback only; serve what is needed on 127.0.0.1")


def _is_here(host: object) -> bool:
    """Whether an address is this machine's own; a Unix socket's path (no host) is."""
    if isinstance(host, (bytes, bytearray)):
        host = host.decode(errors="replace")
    if not isinstance(host, str) or host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


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
