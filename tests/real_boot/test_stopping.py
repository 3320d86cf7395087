"""Switching a machine off: streams get their time, and nothing holds it up."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.real_boot.replica import Replica

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]

Starts = Callable[..., Replica]

LINES = 100
STREAM = f"/stream?lines={LINES}&pause=0.2"
NUMBERED = [b"%d\n" % number for number in range(1, LINES + 1)]
STOP_TIME = 120
"""The seconds that systemd allows the unit."""


def test_a_stream_that_has_begun_is_complete_when_the_machine_is_switched_off(replica: Starts) -> None:
    boot = replica()
    boot.wait_for_step("serving")
    with boot.begin(STREAM) as stream:
        first = stream.readline()
        boot.machine.shut_down()
        assert [first, *stream.readlines()] == NUMBERED
    boot.machine.wait()
    assert boot.container_log() == ["listening", "ended"]


def test_a_cloudwatch_that_hangs_leaves_a_stream_its_time(replica: Starts) -> None:
    boot = replica()
    boot.wait_for_step("serving")
    with boot.begin(STREAM) as stream:
        first = stream.readline()
        boot.logs.hang()
        began = time.monotonic()
        boot.machine.shut_down()
        assert [first, *stream.readlines()] == NUMBERED
    boot.machine.wait(within=STOP_TIME)
    assert time.monotonic() - began < STOP_TIME


def test_a_machine_that_pulls_an_image_is_off_at_once(replica: Starts) -> None:
    boot = replica(hold_layers=True)
    assert boot.registry.asked_for_layer.wait(400)
    boot.machine.shut_down()
    try:
        boot.machine.wait(within=STOP_TIME / 2)
    except subprocess.TimeoutExpired:
        pytest.fail("the pull holds up the shutdown")
