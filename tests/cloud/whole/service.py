"""A service of a cloud, as its user and AWS see it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cloud.whole.running_cloud import FAR_TOO_LONG, RunningCloud

STREAMS = """\
type: service
image: servestack/numbered-streams:1
port: 80
auth: false
resources: {gpu: 24GB}
"""
"""A service whose image sends numbered lines, without a model."""
BOOT_TIMEOUT = "boot_timeout 60m"
"""AWS's waiting times run faster than the clock, but machines boot as fast as they can. With this one, a new replica
has a minute until its warm-up is over."""


class Service:
    """A service, by the name of its run, which is that of its stack too."""

    def __init__(self, cloud: RunningCloud, name: str, folder: Path) -> None:
        self.cloud, self.name = cloud, name
        self._file = folder / f"{name}.dstack.yml"
        self._autoscaling, self._balancing = cloud.client("autoscaling"), cloud.client("elbv2")

    def configure(self, configuration: str, *settings: str, status: int = 0) -> str:
        """Deploy a configuration, and return what `pulumi up` prints."""
        self._file.write_text(f"name: {self.name}\n{configuration}")
        return self.cloud.deploy(self.name, self._file, "gateway gateway", BOOT_TIMEOUT, *settings, status=status)

    @property
    def url(self) -> str:
        return str(self.cloud.outputs(self.name)["url"])

    def group(self) -> Mapping[str, Any]:
        """Its Auto Scaling group."""
        filters = [{"Name": "tag:servestack:run", "Values": [self.name]}]
        [group] = self._autoscaling.describe_auto_scaling_groups(Filters=filters)["AutoScalingGroups"]
        return group

    def size(self) -> tuple[int, int, int]:
        """The fewest, the wanted and the most replicas."""
        group = self.group()
        return group["MinSize"], group["DesiredCapacity"], group["MaxSize"]

    def replicas(self) -> frozenset[str]:
        """The instances of its group."""
        return frozenset(instance["InstanceId"] for instance in self.group()["Instances"])

    def types(self) -> Sequence[str]:
        return sorted(instance["InstanceType"] for instance in self.group()["Instances"])

    def healthy(self) -> frozenset[str]:
        """The instances to which the load balancer sends requests."""
        [target_group] = self.group()["TargetGroupARNs"]
        targets = self._balancing.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        return frozenset(one["Target"]["Id"] for one in targets if one["TargetHealth"]["State"] == "healthy")

    def activities(self) -> Sequence[str]:
        """What the group has done and why, the newest first."""
        found = self._autoscaling.describe_scaling_activities(AutoScalingGroupName=self.group()["AutoScalingGroupName"])
        return [f"{one['Description']} {one['Cause']}" for one in found["Activities"]]

    def refreshes(self) -> Sequence[str]:
        """The states of its instance refreshes, the newest first."""
        name = self.group()["AutoScalingGroupName"]
        found = self._autoscaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
        return [one["Status"] for one in found]

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until it is true. If it never becomes true, say what the group has done."""
        end = time.monotonic() + FAR_TOO_LONG
        while not true():
            if time.monotonic() > end:
                told = "\n".join(self.activities())
                raise AssertionError(f"{self.name}: {what} did not come. Replicas: {self.group()['Instances']}\n{told}")
            time.sleep(0.5)

    def until_serving(self, count: int) -> frozenset[str]:
        """Wait until its group has this many replicas and all of them get requests. Return them."""
        self.until(lambda: len(self.replicas()) == count and self.healthy() == self.replicas(), f"{count} replicas")
        return self.replicas()

    def until_rolled(self) -> None:
        """Wait until the newest roll has replaced all replicas."""
        self.until(lambda: self.refreshes()[:1] == ["Successful"], "the end of the roll")


@contextlib.contextmanager
def deployed(cloud: RunningCloud, name: str, folder: Path, configuration: str, *settings: str) -> Generator[Service]:
    """A service that serves, for the time of the block."""
    service = Service(cloud, name, folder)
    try:
        service.configure(configuration, *settings)
        yield service
    finally:
        cloud.destroy(name)
