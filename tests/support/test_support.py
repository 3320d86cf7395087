"""The support of the tests holds what it promises."""

from __future__ import annotations

import socket
import subprocess
import urllib.request

import pytest

from tests.support import isolation, requirements
from tests.support.loopback import OutsideLoopback
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
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert (child.pid, "sleep 60") in isolation.marked("a-mark-of-this-test")
        finally:
            child.kill()


def _lack(monkeypatch: pytest.MonkeyPatch, name: str, why: str | None) -> None:
    monkeypatch.setattr(requirements, "problem_with", {name: why}.__getitem__)
