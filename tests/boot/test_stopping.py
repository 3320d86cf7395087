"""SIGTERM, at every step: first the container gets its time, then AWS is told, which may not answer."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.boot.machine import EXPIRES, FAR_TOO_LONG, INSTANCE, Machine
from tests.boot.test_outcomes import booted, steps

Boots = Callable[..., Machine]

HANGS = "exec /bin/sleep 300"


@pytest.mark.parametrize(
    "program", ["nvidia-smi", "docker-pull", "docker-run", "docker-login", "aws-ssm-get-parameter"]
)
def test_a_step_that_takes_long_does_not_hold_up_a_stop(machine: Boots, program: str) -> None:
    boot = booted(machine, {program: HANGS}, "registry_auth: {username: u, password: p}\n")
    boot.answer("docker-login", f'mkdir -p "$2"\n{HANGS if program == "docker-login" else ""}')
    process = boot.start("serve")
    login = boot.file_system / "run/servestack/docker"
    boot.wait_until(lambda: boot.calls(program) and (program != "docker-login" or login.exists()))
    before = len(boot.calls())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=FAR_TOO_LONG) == 0
    called = [(call.key, call.arguments) for call in boot.calls()[before:] if call.key != "date"]
    assert [key for key, _ in called] == ["docker-stop", "aws-logs-put-log-events"]
    assert called[0][1] == ("stop", "-t", "60", "servestack")
    assert '"message": "stopped"' in called[1][1][-1]
    assert not login.exists()


def test_a_stop_tells_aws_once_and_after_the_container_has_stopped(machine: Boots) -> None:
    boot = booted(machine, {"curl-health": "printf 200"})
    process = boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    boot.wait_until(lambda: boot.calls("sleep"))
    boot.answer("aws-logs-put-log-events", EXPIRES)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=FAR_TOO_LONG) == 0
    assert boot.limits == [5]
    stop, told = (boot.call("docker-stop"), boot.calls("aws-logs-put-log-events")[-1])
    assert boot.calls().index(stop) < boot.calls().index(told)
    variables = ("AWS_MAX_ATTEMPTS", "AWS_METADATA_SERVICE_NUM_ATTEMPTS")
    assert [told.environment[name] for name in variables] == [b"1", b"1"]
    assert "this line could not be written to CloudWatch" in boot.output


def test_a_report_that_aws_does_not_take_holds_up_a_start_by_seconds(machine: Boots) -> None:
    boot = machine()
    for key in ("aws-logs-put-log-events", "aws-logs-create-log-stream", "aws-dynamodb-put-item"):
        boot.answer(key, EXPIRES)
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "servestack: serving\n" in boot.output)
    assert set(boot.limits) == {10}
    assert boot.calls("aws-logs-create-log-stream")[0].arguments[-1] == f"{INSTANCE}/boot"
    assert len(boot.calls("aws-logs-create-log-stream")) == 1, "a call that was cut off is not repeated"


def test_a_stop_before_the_instance_is_known_tells_nobody(machine: Boots) -> None:
    boot = booted(machine, {"curl-token": HANGS})
    process = boot.start("serve")
    boot.wait_until(lambda: boot.calls("curl-token"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=FAR_TOO_LONG) == 0
    assert [call.key for call in boot.calls() if call.key != "date"] == ["curl-token", "docker-stop"]
