"""A replica that served: the machine restarts it, and has the instance replaced when that does not help."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.real_boot.replica import Replica

pytestmark = [pytest.mark.boot, pytest.mark.timeout(1800)]

Starts = Callable[..., Replica]


def test_a_server_that_hangs_is_restarted(replica: Starts) -> None:
    boot = replica(hung_after=90)
    boot.wait_for_step("serving")
    boot.get("/hang", method="POST")
    boot.wait_for_log("serving", count=2)
    (failed,) = [line for line in boot.boot_log() if line.startswith("failed")]
    assert failed == (
        "failed, trying again in 10 s: the server served and then answered no check of GET / for 90 s; the container's "
        f"output is in the log stream {boot.instance}/container"
    )
    assert boot.get("/health") == b"ok"
    assert boot.health() == "Healthy"


def test_after_three_restarts_in_vain_the_instance_is_replaced(replica: Starts) -> None:
    boot = replica()
    for count in range(1, 5):
        boot.wait_for_log("serving", count=count)
        boot.get("/exit?status=3", method="POST")
    cause = (
        "the container ended with status 3 after it had served; the container's output is in the log stream "
        f"{boot.instance}/container; 3 restarts did not help, so the instance is replaced"
    )
    boot.wait_for_log(cause)
    boot.wait_for_unit("failed")
    assert boot.health() == "Unhealthy"
    state = boot.state()
    assert state is not None
    assert (state.step, state.cause) == ("being replaced", cause)
