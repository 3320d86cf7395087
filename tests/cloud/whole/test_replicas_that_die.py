"""A replica that dies or hangs is mended or replaced, and its service serves again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cloud.control_plane.client import ControlPlane
from infra.planning.boot import REPLICA_PORT
from tests.cloud.whole.asking import Callers, get
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, Service, deployed


@pytest.fixture(name="mortal", scope="module")
def _mortal(cloud: RunningCloud, gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two replicas, which each test leaves with two."""
    with deployed(cloud, "mortal", tmp_path_factory.mktemp("mortal"), f"{STREAMS}replicas: 2\n") as service:
        yield service


def test_a_server_that_hangs_is_restarted_on_its_instance(cloud: RunningCloud, mortal: Service) -> None:
    before = mortal.until_serving(2)
    victim = min(before)
    answered = cloud.folder / "machines" / victim / "root/run/servestack/answered"

    def noticed() -> bool:
        """Machines have the clock's time, so ten minutes of silence are played: the last answer was earlier."""
        answered.write_text(str(int(time.time()) - 601))
        return any("answered no check of GET /" in line for line in logged(mortal, victim))

    with httpx.Client(trust_env=False, timeout=120) as own:
        assert get(f"{at(cloud, victim)}/hang")(own) == "200"
        mortal.until(noticed, "the line of the server that hangs")
        mortal.until(lambda: logged(mortal, victim)[-1] == "serving", "the restart")
        assert mortal.until_serving(2) == before
        assert get(f"{at(cloud, victim)}/health")(own) == "200"


def test_an_instance_whose_container_ends_again_and_again_is_replaced(cloud: RunningCloud, mortal: Service) -> None:
    before = mortal.until_serving(2)
    victim = min(before)
    address = at(cloud, victim)
    with httpx.Client(trust_env=False, timeout=120) as own:

        def killed_until_replaced() -> bool:
            if victim in mortal.healthy():
                get(f"{address}/exit?status=1")(own)
            return victim not in mortal.replicas()

        mortal.until(killed_until_replaced, "another instance")
    after = mortal.until_serving(2)
    assert after & before == before - {victim}
    assert any("3 restarts did not help" in line for line in logged(mortal, victim))


def test_a_machine_that_dies_is_replaced_and_the_other_replica_serves_meanwhile(
    cloud: RunningCloud, mortal: Service
) -> None:
    before = mortal.until_serving(2)
    victim = min(before)
    with Callers(cloud, get(f"{mortal.url}/health"), count=1, pause=0.2) as callers:
        cut_the_power(cloud, victim)
        mortal.until(lambda: victim not in mortal.replicas(), "the end of the instance")
        after = mortal.until_serving(2)
    assert after & before == before - {victim}
    assert set(callers.outcomes) == {"200"}, callers.outcomes


def at(cloud: RunningCloud, instance: str) -> str:
    """The URL of a replica, beside its load balancer."""
    [address] = [one["address"] for one in ControlPlane(cloud.endpoint).instances() if one["id"] == instance]
    return f"http://{address}:{REPLICA_PORT}"


def logged(service: Service, instance: str) -> list[str]:
    """What the boot script of an instance has said."""
    logs = service.cloud.client("logs")
    [group] = [
        one["logGroupName"]
        for one in logs.describe_log_groups(logGroupNamePrefix=f"/servestack/{service.name}/")["logGroups"]
    ]
    events = logs.get_log_events(logGroupName=group, logStreamName=f"{instance}/boot")["events"]
    return [event["message"] for event in events]


def cut_the_power(cloud: RunningCloud, instance: str) -> None:
    """Kill the process that is the machine: the one whose errors go to its console."""
    console = str(cloud.folder / "machines" / instance / "console")
    machines: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # of another user, or ended
            is_machine = b"cloud.machines.machine\0" in (entry / "cmdline").read_bytes()
            if is_machine and os.readlink(entry / "fd/2") == console:
                machines.append(int(entry.name))
    [machine] = machines
    os.kill(machine, signal.SIGKILL)
