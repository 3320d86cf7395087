"""What is read of the control plane: the load balancer and the target group as the program makes them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cloud.load_balancer.configuration import (
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    LoadBalancer,
    RegisteredTarget,
    Rule,
    TargetGroup,
    UnplayedRule,
    read,
)

REGION = "eu-west-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Generator[dict[str, Any]]:
    """Clients, and a load balancer with a listener and a target group."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        ec2, elbv2 = boto3.client("ec2", region_name=REGION), boto3.client("elbv2", region_name=REGION)
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]]
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        balancer = elbv2.create_load_balancer(Name="gateway", Subnets=subnets[:2], Scheme="internal")
        arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        group = elbv2.create_target_group(
            Name="run",
            Protocol="HTTP",
            Port=8000,
            VpcId=vpc,
            HealthCheckPath="/health?a=b",
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=3,
            Matcher={"HttpCode": "200-403"},
        )["TargetGroups"][0]["TargetGroupArn"]
        fixed = {"StatusCode": "404", "ContentType": "application/json", "MessageBody": "{}"}
        listener = elbv2.create_listener(
            LoadBalancerArn=arn,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
        )["Listeners"][0]["ListenerArn"]
        yield {
            "elbv2": elbv2,
            "balancer": arn,
            "group": group,
            "listener": listener,
            "instance": instance,
        }


def test_a_load_balancer_without_services_has_its_default_answer(aws: dict[str, Any]) -> None:
    assert read(aws["elbv2"], aws["balancer"], "127.0.0.1:4601") == LoadBalancer(
        arn=aws["balancer"],
        region=REGION,
        address="127.0.0.1:4601",
        idle_timeout=60,
        drop_invalid_headers=False,
        rules=(Rule(conditions=(), action=FixedResponse(status=404, content_type="application/json", body="{}")),),
        groups={},
    )


def test_all_services_of_a_gateway_are_read(aws: dict[str, Any]) -> None:
    """An answer has at most 50 rules, and a gateway at most 100 services."""
    forward = [{"Type": "forward", "TargetGroupArn": aws["group"]}]
    for number in range(1, 101):
        host = {"Field": "host-header", "HostHeaderConfig": {"Values": [f"run-{number}.internal"]}}
        aws["elbv2"].create_rule(ListenerArn=aws["listener"], Priority=number, Conditions=[host], Actions=forward)
    read_rules = read(aws["elbv2"], aws["balancer"], "127.0.0.1:4601").rules
    assert [condition.values for rule in read_rules for condition in rule.conditions] == [
        (f"run-{number}.internal",) for number in range(1, 101)
    ]


def test_a_service_is_a_rule_and_a_target_group(aws: dict[str, Any]) -> None:
    elbv2 = aws["elbv2"]
    elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=aws["balancer"],
        Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": "910"},
            {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
        ],
    )
    elbv2.modify_target_group_attributes(
        TargetGroupArn=aws["group"],
        Attributes=[
            {"Key": "deregistration_delay.timeout_seconds", "Value": "900"},
            {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
        ],
    )
    conditions = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["run.internal"]}}]
    forward = [{"Type": "forward", "TargetGroupArn": aws["group"]}]
    for priority, kind in ((20, conditions), (3, [*conditions, {"Field": "path-pattern", "Values": ["/v1/*"]}])):
        elbv2.create_rule(ListenerArn=aws["listener"], Priority=priority, Conditions=kind, Actions=forward)
    elbv2.register_targets(TargetGroupArn=aws["group"], Targets=[{"Id": aws["instance"]}])
    to_run = Condition(field="host-header", values=("run.internal",))
    to_path = Condition(field="path-pattern", values=("/v1/*",))
    action = Forward(groups=((aws["group"], 1),))
    got = read(elbv2, aws["balancer"], "127.0.0.1:4601")
    assert got == LoadBalancer(
        arn=aws["balancer"],
        region=REGION,
        address="127.0.0.1:4601",
        idle_timeout=910,
        drop_invalid_headers=True,
        rules=(
            Rule(conditions=(to_run, to_path), action=action),
            Rule(conditions=(to_run,), action=action),
            Rule(conditions=(), action=FixedResponse(status=404, content_type="application/json", body="{}")),
        ),
        groups={
            aws["group"]: TargetGroup(
                arn=aws["group"],
                algorithm="least_outstanding_requests",
                deregistration_delay=900,
                check=HealthCheck(
                    path="/health?a=b",
                    port=None,
                    matcher="200-403",
                    interval=10,
                    timeout=5,
                    healthy_threshold=2,
                    unhealthy_threshold=3,
                ),
                targets=(RegisteredTarget(id=aws["instance"], port=8000, draining=False),),
            )
        },
    )
    assert got.suffix == aws["balancer"].partition("loadbalancer/")[2]


def test_what_is_not_played_is_refused_by_name(aws: dict[str, Any]) -> None:
    aws["elbv2"].create_rule(
        ListenerArn=aws["listener"],
        Priority=1,
        Conditions=[{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": aws["group"]}],
    )
    with pytest.raises(UnplayedRule) as refused:
        read(aws["elbv2"], aws["balancer"], "127.0.0.1:4601")
    assert str(refused.value) == (
        "a rule has a condition on source-ip; this cloud plays host-header, path-pattern, http-header, "
        "http-request-method"
    )
