"""A replica that dies or hangs is mended or replaced, and its service serves again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.cloud.whole.asking import Callers, client, get
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, Service, deployed


def test_an_instance_whose_container_ends_again_and_again_is_replaced(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with deployed(cloud, "crashing", tmp_path, STREAMS) as service, client(cloud.environment) as own:
        before = service.until_serving(1)
        url = service.url

        def killed_until_replaced() -> bool:
            if service.healthy() == before:
                get(f"{url}/exit?status=1")(own)
            return not service.replicas() & before

        service.until(killed_until_replaced, "another instance")
        service.until_serving(1)
        assert any("3 restarts did not help" in line for line in logged(service)), logged(service)
        assert get(f"{url}/health")(own) == "200"


def test_a_machine_that_dies_is_replaced_and_the_other_replica_serves_meanwhile(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with deployed(cloud, "dying", tmp_path, f"{STREAMS}replicas: 2\n") as service:
        before = service.until_serving(2)
        victim = min(before)
        with Callers(cloud, get(f"{service.url}/health"), count=1, pause=0.2) as callers:
            cut_the_power(cloud, victim)
            service.until(lambda: victim not in service.replicas(), "the end of the instance")
            after = service.until_serving(2)
        assert after & before == before - {victim}
        assert set(callers.outcomes) == {"200"}, callers.outcomes


def test_a_server_that_hangs_is_restarted_on_its_instance(cloud: RunningCloud, gateway: str, tmp_path: Path) -> None:
    with deployed(cloud, "hanging", tmp_path, STREAMS) as service, client(cloud.environment) as own:
        before = service.until_serving(1)
        url = service.url
        assert get(f"{url}/hang")(own) == "200"
        [instance] = before
        answered = cloud.folder / "machines" / instance / "root/run/servestack/answered"

        def noticed() -> bool:
            """Machines have the clock's time, so ten minutes of silence are played: the last answer was earlier."""
            answered.write_text(str(int(time.time()) - 601))
            return any("answered no check of GET /" in line for line in logged(service))

        service.until(noticed, "the line of the server that hangs")
        service.until(lambda: get(f"{url}/health")(own) == "200", "an answer")
        assert service.until_serving(1) == before


def logged(service: Service) -> list[str]:
    """All lines of the service's machines."""
    logs = service.cloud.client("logs")
    [group] = [
        one["logGroupName"]
        for one in logs.describe_log_groups(logGroupNamePrefix=f"/servestack/{service.name}/")["logGroups"]
    ]
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    ]


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
