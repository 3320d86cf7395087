"""Spot instances that EC2 needs back: what they are told, and what their group does."""

from __future__ import annotations

import contextlib
import time
import urllib.error
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from cloud.machines.metadata import Metadata, asked_notice
from tests.cloud.groups.test_launching import policy
from tests.cloud.groups.world import Cloud, without_moment

SPOT = {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0}


def create(cloud: Cloud, **given: Any) -> list[str]:
    cloud.create(MixedInstancesPolicy=policy(cloud, "g5.xlarge", **SPOT), **given)
    return cloud.boots()


def test_an_interruption_ends_the_instance_two_minutes_after_the_notice_and_the_group_replaces_it(cloud: Cloud) -> None:
    [one] = create(cloud, MinSize=1)
    told = cloud.tell(one, "interruption")
    assert cloud.plane.spot_notice(one) == told
    assert cloud.tell(one, "interruption") == told, "a second notice does not put the end off"
    began = cloud.passes()
    assert told == {"recommended": began, "ends": began + 12}, "the clock runs ten times faster"
    cloud.passes(119)
    assert cloud.members() == {one: "InService"}
    cloud.passes(1)
    assert _states(cloud)[one] == "shutting-down"
    [two] = cloud.boots()
    assert cloud.members() == {one: "Terminating", two: "InService"}
    cloud.passes(300)
    cloud.ends()
    assert cloud.members() == {two: "InService"}
    [ended] = cloud.ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"]
    assert ended["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert cloud.plane.spot_notice(one) == {"recommended": None, "ends": None}
    assert without_moment(cloud.activities()[1]["Cause"]) == (
        "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or "
        "stopped."
    )


def test_an_instance_reads_what_it_was_told_from_its_metadata(cloud: Cloud) -> None:
    [one] = create(cloud, MinSize=1)
    paths = ("spot/instance-action", "spot/termination-time", "events/recommendations/rebalance")
    metadata = Metadata(
        address="127.0.0.1",
        port=0,
        instance=one,
        region="us-east-1",
        user_data=b"",
        notice=lambda: asked_notice(cloud.plane.url, one),
    )

    def read() -> list[tuple[int, str]]:
        url = f"http://127.0.0.1:{metadata.port}/latest/"
        with httpx.Client(base_url=url, trust_env=False, timeout=100) as http:
            token = {"X-aws-ec2-metadata-token": http.put("api/token").text}
            answers = [http.get(f"meta-data/{path}", headers=token) for path in paths]
        return [(answer.status_code, answer.text) for answer in answers]

    with contextlib.closing(metadata):
        assert read() == [(404, "")] * 3
        told = cloud.tell(one, "rebalance")
        recommended = (200, f'{{"noticeTime":"{_time(told["recommended"])}"}}')
        assert read() == [(404, ""), (404, ""), recommended]
        ends = _time(cloud.tell(one, "interruption")["ends"])
        assert read() == [(200, f'{{"action":"terminate","time":"{ends}"}}'), (200, ends), recommended]


@pytest.mark.parametrize("notice", ["rebalance", "interruption"])
def test_with_capacity_rebalancing_the_successor_comes_first(cloud: Cloud, notice: str) -> None:
    [one] = create(cloud, MinSize=1, MaxSize=1, CapacityRebalance=True)
    cloud.tell(one, notice)
    cloud.passes()
    assert _states(cloud).pop(one) == "running"
    assert list(cloud.members().values()) == ["InService", "Pending"]
    [two] = cloud.boots()
    assert cloud.members() == {one: "Terminating", two: "InService"}
    words = "in response to an EC2 instance rebalance recommendation."
    assert [without_moment(activity["Cause"]) for activity in cloud.activities()[1:]] == [
        f"an instance was launched {words}",
        f"an instance was taken out of service {words}",
    ]
    cloud.passes(300)
    cloud.ends()
    cloud.passes(300)
    assert cloud.members() == {two: "InService"}
    assert _states(cloud) == {one: "terminated", two: "running"}


def test_members_at_risk_are_replaced_one_by_one(cloud: Cloud) -> None:
    first = create(cloud, MinSize=3, CapacityRebalance=True)
    for one in first[:2]:
        cloud.tell(one, "rebalance")
    cloud.passes()
    assert sorted(cloud.members().values()) == ["InService"] * 3 + ["Pending"]
    cloud.boots()
    assert sorted(cloud.members().values()) == [*["InService"] * 3, "Pending", "Terminating"]
    cloud.boots()
    cloud.passes(300)
    cloud.ends()
    assert set(cloud.members()) & set(first) == {first[2]}
    assert list(cloud.members().values()) == ["InService"] * 3


def test_without_capacity_rebalancing_a_recommendation_changes_nothing(cloud: Cloud) -> None:
    [one] = create(cloud, MinSize=1)
    cloud.tell(one, "rebalance")
    cloud.passes(600)
    assert cloud.members() == {one: "InService"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"instance": "i-0", "notice": "rebalance"}, "i-0 does not run"),
        (
            {"instance": "i-0", "notice": "soon"},
            "spot needs an instance, and a notice that is rebalance or interruption",
        ),
        ({"instance": "i-0"}, "spot needs an instance, and a notice that is rebalance or interruption"),
    ],
)
def test_what_is_no_notice_is_refused(cloud: Cloud, body: Mapping[str, str], why: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        cloud.put("spot", body)
    assert (refused.value.code, why in refused.value.read().decode()) == (400, True)


def test_an_instance_on_demand_is_never_interrupted(cloud: Cloud) -> None:
    cloud.create(MinSize=1)
    [one] = cloud.boots()
    with pytest.raises(urllib.error.HTTPError) as refused:
        cloud.tell(one, "interruption")
    assert f"{one} is on demand, and EC2 interrupts only spot instances" in refused.value.read().decode()


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _states(cloud: Cloud) -> dict[str, str]:
    return {one["id"]: one["state"] for one in cloud.instances()}
