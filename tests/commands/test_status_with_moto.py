"""`make status` of a service with boto3's own clients. moto starts its replica."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.stack_state import GROUP, LOG_GROUP, stack_state
from commands.status.replicas import Costs, ReplicaStatus
from commands.status.service import ServiceStatus, look_at_service
from infra.readiness import Awaited, client_maker
from tests.commands.stacks import claim_of, service_state
from tests.readiness.deployed import REGION, WithoutRefreshes, deployed


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Awaited]:
    """A service in moto, with one replica."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take ten seconds
    with mock_aws():
        made = deployed()
        autoscaling: Any = boto3.client("autoscaling", REGION)
        autoscaling.update_auto_scaling_group(AutoScalingGroupName=made.group, MinSize=1, DesiredCapacity=1)
        yield made


def test_a_look_with_real_clients(service: Awaited) -> None:
    def clients(region: str, profile: str | None) -> Any:
        made = client_maker(region, profile)
        return lambda name: WithoutRefreshes(made(name)) if name == "autoscaling" else made(name)

    ec2: Any = boto3.client("ec2", REGION)
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    group = {
        "name": service.group,
        "targetGroupArns": [service.target_group],
        "mixedInstancesPolicy": {"launchTemplate": {"launchTemplateSpecification": {"version": "1"}}},
    }
    changed = {GROUP: group, LOG_GROUP: {"name": service.log_group}, **claim_of(service.run, service.table)}
    state = stack_state("cat", service_state(changed=changed), {})
    launched: datetime = instance["LaunchTime"]
    nothing = Costs(an_hour=1.006, today=0, this_month=0)
    replica = ReplicaStatus(
        instance=instance["InstanceId"],
        type="g5.xlarge",
        zone="us-east-1a",
        spot=False,
        launched=launched,
        health="healthy",
        step=None,
        percent=None,
        cause=None,
        final=False,
        figures=None,
        list_price=nothing,
    )
    assert look_at_service(state, clients, launched) == ServiceStatus(
        stack="cat",
        run="yellow-cat-1",
        region=REGION,
        url="https://yellow-cat-1.example.com",
        model=None,
        state="serving",
        healthy=1,
        desired=1,
        minimum=1,
        maximum=2,
        replicas=(replica,),
        roll=None,
        problem=None,
        ended=(),
        list_price=nothing,
        unanswered=(),
    )
    hour_later = look_at_service(state, clients, launched + timedelta(hours=1))
    assert hour_later.replicas == (replace(replica, list_price=hour_later.list_price),)
