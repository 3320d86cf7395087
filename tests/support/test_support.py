"""The support of the tests holds what it promises."""

from __future__ import annotations

import socket
import subprocess
import threading
import urllib.request

import pytest

from tests.support import isolation, requirements
from tests.support.loopback import OutsideLoopback
from tests.support.processes import wait_until
from tests.support.skips import table


def test_a_missing_requirement_skips_with_its_name_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    _lack(monkeypatch, "docker", "no engine answers")
    with pytest.raises(pytest.skip.Exception, match=r"^docker: no engine answers$"):
        requirements.require("docker")


def test_a_missing_requirement_fails_where_the_caller_insists_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _lack(monkeypatch, "docker", "no engine answers")
    monkeypatch.setenv(requirements.VARIABLE, "pulumi, docker")
    with pytest.raises(pytest.fail.Exception, match="SERVESTACK_REQUIRE names docker, and no engine answers"):
        requirements.require("docker")


def test_a_requirement_that_is_there_lets_the_test_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _lack(monkeypatch, "docker", None)
    requirements.require("docker")


def test_an_unknown_name_to_insist_on_is_an_error_that_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "REQUIREMENTS", {"docker": requirements.REQUIREMENTS["docker"]})
    with pytest.raises(
        pytest.UsageError, match=r"SERVESTACK_REQUIRE names dokker; known are docker \(a docker engine\)"
    ):
        requirements.insisted_on({requirements.VARIABLE: "dokker"})


def test_the_table_counts_each_reason_once() -> None:
    assert table(["docker: no engine", "pulumi: no command", "docker: no engine", "only on Tuesdays"]) == [
        "needs   tests  why skipped",
        "docker      2  no engine",
        "-           1  only on Tuesdays",
        "pulumi      1  no command",
    ]


def test_connections_and_look_ups_beyond_loopback_are_refused() -> None:
    with socket.socket() as out, pytest.raises(OutsideLoopback, match=r"socket.connect to 192\.0\.2\.1"):
        out.connect(("192.0.2.1", 80))
    with pytest.raises(OutsideLoopback, match=r"socket.getaddrinfo to example\.com"):
        urllib.request.urlopen("http://example.com/")


def test_a_process_that_is_left_running_is_found_by_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements.require("linux")
    monkeypatch.setenv(isolation.MARK, "a-mark-of-this-test")
    with subprocess.Popen(["sleep", "600"]) as child:
        try:
            # The kernel shows the environment of a new program a moment after the program has begun.
            wait_until(lambda: bool(isolation.marked("a-mark-of-this-test")), what="a process with the mark")
            assert isolation.left_running("a-mark-of-this-test", within=0) == [(child.pid, "sleep 600")]
        finally:
            child.kill()


def test_a_process_that_ends_meanwhile_was_not_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the children of a browser do, which end after it."""
    requirements.require("linux")
    monkeypatch.setenv(isolation.MARK, "another-mark-of-this-test")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        try:
            wait_until(lambda: bool(isolation.marked("another-mark-of-this-test")), what="a process with the mark")
            ending = threading.Timer(0.2, child.communicate)
            ending.start()
            assert isolation.left_running("another-mark-of-this-test", within=60) == []
            ending.join()
        finally:
            child.kill()


def _lack(monkeypatch: pytest.MonkeyPatch, name: str, why: str | None) -> None:
    monkeypatch.setattr(requirements, "problem_with", {name: why}.__getitem__)
