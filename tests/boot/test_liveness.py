"""What restarts a replica, what has its instance replaced, and what does neither. Its machine decides all of this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.configuration import ServiceConfiguration
from infra.configuration.reading import loads
from infra.planning.liveness import plan_hung_after
from tests.boot.lives import Container, live
from tests.boot.machine import EXPIRES, INSTANCE, Machine
from tests.boot.planned import SERVICE
from tests.boot.test_outcomes import GIVES_UP, OUTPUT, TRIES_AGAIN, booted, ends, failed_state, last_line, lines_of

Boots = Callable[..., Machine]

pytestmark = pytest.mark.timeout(600)
"""Seconds. A slow machine needs minutes to start the programs of an hour of a machine's life."""
MINUTE = 60
CRASHED = f"the container ended with status 1 before it served; {OUTPUT}"
TOLD = ("autoscaling", "set-instance-health", "--instance-id", INSTANCE, "--health-status", "Unhealthy",
        "--no-should-respect-grace-period")  # fmt: skip


def test_a_container_that_never_serves_is_tried_until_the_boot_timeout(machine: Boots) -> None:
    lived = live(machine(boot_timeout=300), [Container(loads=None, ends=20)], seconds=3600)
    cause = f"{CRASHED}; the replica did not serve within 300 s, so the instance is replaced"
    assert (lived.exits, lived.containers, lived.item) == ((75, 75, 75, 75, 78), 5, ("being replaced", cause))
    assert lived.log[-1] == cause


def test_a_container_that_runs_but_never_serves_has_until_the_boot_timeout(machine: Boots) -> None:
    lived = live(machine(boot_timeout=300), [Container(loads=None)], seconds=3600)
    said = "port 80 never opened: nothing in the container listens on it after 225 s; make the command listen on this "
    cause = f"{said}port, on 0.0.0.0; the replica did not serve within 300 s, so the instance is replaced"
    assert (lived.exits, lived.containers, lived.replaced) == ((78,), 1, 300)
    assert lived.item == ("being replaced", cause)


def test_a_replica_that_serves_for_a_moment_after_each_restart_is_replaced(machine: Boots) -> None:
    lived = live(machine(), [Container(ends=200)], seconds=3600)
    assert (lived.exits, lived.containers) == ((75, 75, 75, 78), 4)


def test_restarts_are_forgotten_when_a_replica_served_for_ten_minutes(machine: Boots) -> None:
    lived = live(machine(), [Container(loads=5, ends=12 * MINUTE)], seconds=60 * MINUTE)
    assert lived == replace(lived, exits=(75,) * 4, containers=5, replaced=None)
    assert [line for line in lived.log if line.startswith("failed")] == [
        f"failed, trying again in 10 s: the container ended with status 1 after it had served; {OUTPUT}"
    ] * 4


def test_empty_probes_leave_a_silent_server_alone(machine: Boots) -> None:
    boot = booted(machine, {"curl-health": "printf 200"}, "probes: []\n")
    boot.answer("sleep", 'printf "1700009999\\n" >"$STUBS/clock"', call=1)
    boot.answer("sleep", "exec /bin/sleep 300", call=2)
    process = boot.start("serve")
    boot.wait_until(lambda: len(boot.calls("sleep")) == 2)
    assert (process.poll(), boot.calls("life-curl"), lines_of(boot)[-1]) == (None, [], "serving")


def test_an_answer_that_is_just_being_written_is_no_silence(machine: Boots) -> None:
    boot = booted(machine, {"curl-health": "printf 200", "life-curl": "exec /bin/sleep 300"})
    answered = boot.file_system / "run/servestack/answered"
    boot.answer("sleep", f': >"{answered}"', call=1)
    boot.answer("sleep", "exec /bin/sleep 300", call=2)
    process = boot.start("serve")
    boot.wait_until(lambda: len(boot.calls("sleep")) == 2 or process.poll() is not None)
    assert (process.poll(), lines_of(boot)[-1]) == (None, "serving")


def test_a_check_of_life_takes_every_answer_however_late(machine: Boots) -> None:
    boot = machine("probes: [{type: http, url: '/ready?a=[1]', timeout: 7s, interval: 300s}]\n")
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: boot.calls("life-curl"))
    assert boot.call("life-curl").arguments == (
        "--silent", "--globoff", "--path-as-is", "--output", "/dev/null", "--max-time", "921",
        "http://127.0.0.1:8000/ready?a=[1]",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ("", 600),
        ("probes: []\n", None),
        ("probes: [{type: http, url: /x, until_ready: true}]\n", None),
        ("probes: [{type: http, url: /x, interval: 5s, timeout: 2s}]\n", 600),
        ("probes: [{type: http, url: /x, interval: 5m, timeout: 2m}]\n", 1260),
    ],
)
def test_a_server_is_silent_too_long_after_ten_minutes_or_three_rare_probes(lines: str, seconds: int | None) -> None:
    configuration = loads(SERVICE + lines, "test.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    assert plan_hung_after(configuration) == seconds


def test_a_driver_that_hangs_is_not_waited_for_longer_than_the_boot_timeout(machine: Boots) -> None:
    boot = booted(machine, {"nvidia-smi": f'printf "1700000120\\n" >"$STUBS/clock"\n{EXPIRES}'}, boot_timeout=60)
    assert boot.run("serve") == GIVES_UP
    assert boot.limits == [120]
    cause = (
        "the boot script is stuck at the step: machine ready; the replica did not serve within 60 s, so the instance "
        "is replaced"
    )
    assert (last_line(boot), failed_state(boot)) == (cause, (cause, False))
    assert boot.call("aws-autoscaling-set-instance-health").arguments[6:] == TOLD


def test_a_machine_powers_off_when_the_group_cannot_be_told(machine: Boots) -> None:
    boot = booted(machine, {"docker-wait": ends(1), "aws-autoscaling-set-instance-health": "exit 254"}, boot_timeout=5)
    assert boot.run("serve") == GIVES_UP
    assert boot.calls("systemctl")[-1].arguments == ("--no-block", "poweroff")
    assert lines_of(boot)[-2:] == [
        f"{CRASHED}; the replica did not serve within 5 s, so the instance is replaced",
        "the Auto Scaling group cannot be told, so the machine powers off, which has the same effect",
    ]


@pytest.mark.parametrize(("served", "seconds"), [(False, "1300"), (True, "1")])
def test_a_replica_that_gave_up_is_replaced_when_its_time_is_over(machine: Boots, served: bool, seconds: str) -> None:
    boot = booted(machine, {"nvidia-smi": 'printf "1700000500\\n" >"$STUBS/clock"'})
    if served:
        (boot.file_system / "run/servestack").mkdir(parents=True)
        (boot.file_system / "run/servestack/served").touch()
    assert boot.run("serve") == GIVES_UP
    cause = "the machine has no working GPU: nvidia-smi says: no message"
    assert failed_state(boot) == (cause, True)
    timer = boot.call("systemd-run").arguments
    installed = str(boot.file_system / "opt/servestack/boot")
    unit = ("--quiet", "--unit", "servestack-replace", "--on-active")
    if not served:  # six tries, five seconds apart
        assert timer == (*unit, timer[4], installed, "replace", cause)
        assert 1270 <= int(timer[4]) <= int(seconds)
    else:
        assert timer == (*unit, seconds, installed, "replace", cause)
    boot.answer("systemctl", "[[ $1 != is-active ]]")
    assert boot.run("replace", cause) == GIVES_UP
    assert boot.call("aws-autoscaling-set-instance-health").arguments[6:] == TOLD
    so = f"{cause}; another try on this machine cannot help, so the instance is replaced"
    assert (last_line(boot), failed_state(boot)) == (so, (so, False))


def test_a_unit_that_somebody_started_again_is_left_alone(machine: Boots) -> None:
    boot = machine()
    assert boot.run("replace", "no GPU") == 0
    assert [call.arguments for call in boot.calls()] == [("is-active", "--quiet", "servestack.service")]


def test_an_instance_without_metadata_tries_again_and_powers_off_when_its_time_is_over(machine: Boots) -> None:
    boot = booted(
        machine, {"curl-token": "exit 22", "aws-autoscaling-set-instance-health": "exit 254"}, boot_timeout=15
    )
    assert [boot.run("serve"), boot.run("serve"), boot.run("serve")] == [TRIES_AGAIN, TRIES_AGAIN, GIVES_UP]
    assert boot.call("systemctl").arguments == ("--no-block", "poweroff")
