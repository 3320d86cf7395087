"""A service whose replicas are in two groups: one address, and each group is updated by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.cloud.whole.asking import Callers
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import deployed

GROUPS = """\
type: service
image: servestack/numbered-streams:1
port: 80
auth: false
replicas:
  - {{name: left, count: 1, commands: [export SIDE=left ROUND=1, numbered-streams], resources: {{gpu: 24GB}}}}
  - {{name: right, count: 1, commands: [export SIDE=right ROUND={right}, numbered-streams], resources: {{gpu: 48GB}}}}
"""


def test_two_groups_serve_at_one_address_and_an_update_of_one_leaves_the_other_alone(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    before = _ids(cloud)
    with deployed(cloud, "sides", tmp_path, GROUPS.format(right=1)) as service:
        first = _groups(cloud)
        with Callers(cloud, _ask(service.url), count=2, pause=0.1) as callers:
            service.until(lambda: {"left 1", "right 1"} <= callers.outcomes.keys(), "answers of both groups")
            service.configure(GROUPS.format(right=2))
            service.until(lambda: callers.outcomes["right 2"] > 0 and _rolled(cloud, "right"), "the new right side")
            last = _groups(cloud)
            old = callers.outcomes["right 1"]
            service.until(lambda: callers.outcomes["left 1"] > old, "more answers of the left side")
        assert set(callers.outcomes) == {"left 1", "right 1", "right 2"}, callers.outcomes
        assert last["left"] == first["left"], "its replica stays, and nothing was rolled"
        assert _types(first) == {"left": {"g6.xlarge"}, "right": {"g6e.xlarge"}}
        assert not {one["InstanceId"] for one in last["right"]} & {one["InstanceId"] for one in first["right"]}
        assert (_refreshes(cloud, "left"), _refreshes(cloud, "right")) == ([], ["Successful"])
    assert _ids(cloud) == before


def _ask(url: str) -> Any:
    """How to ask which side answers, and of which round it is."""

    def ask(client: httpx.Client) -> str:
        try:
            answer = client.get(f"{url}/environment")
            there = {name: bytes.fromhex(value).decode() for name, value in answer.raise_for_status().json().items()}
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            return f"{type(error).__name__}: {error}"
        return f"{there['SIDE']} {there['ROUND']}"

    return ask


def _ids(cloud: RunningCloud) -> set[tuple[str, str]]:
    """What exists. What replicas say of themselves is left out: the table forgets it by itself."""
    return {(one["kind"], one["id"]) for one in cloud.resources() if "/state#" not in one["id"]}


def _names(cloud: RunningCloud) -> Mapping[str, str]:
    """The names of the Auto Scaling groups by side."""
    filters = [{"Name": "tag:servestack:run", "Values": ["sides"]}]
    found = cloud.client("autoscaling").describe_auto_scaling_groups(Filters=filters)["AutoScalingGroups"]
    names = [one["AutoScalingGroupName"] for one in found]
    return {side: next(name for name in names if f"-{side}-" in name) for side in ("left", "right")}


def _groups(cloud: RunningCloud) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The instances of each side."""
    names = _names(cloud)
    found = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[*names.values()])
    instances = {one["AutoScalingGroupName"]: one["Instances"] for one in found["AutoScalingGroups"]}
    return {side: instances[name] for side, name in names.items()}


def _types(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> Mapping[str, set[str]]:
    return {side: {one["InstanceType"] for one in instances} for side, instances in groups.items()}


def _refreshes(cloud: RunningCloud, side: str) -> Sequence[str]:
    found = cloud.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName=_names(cloud)[side])
    return [one["Status"] for one in found["InstanceRefreshes"]]


def _rolled(cloud: RunningCloud, side: str) -> bool:
    return _refreshes(cloud, side) == ["Successful"]
