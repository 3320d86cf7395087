"""What is made for a service whose replicas are in groups."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.aws.recording import Recording
from tests.components.deploying import item, plain

Deploy = Callable[..., Recording]
BASE = "type: service\nimage: nginx\nport: 80\n"
FLAT = f"{BASE}commands: [one]\nresources: {{gpu: 24GB}}\n"
FIRST = "- {count: 1, commands: [one], resources: {gpu: 24GB}}\n"
GROUPS = f"""{BASE}replicas:
{FIRST}- name: big
  count: 0..3
  scaling: {{metric: rps, target: 2.5, scale_down_delay: 15m}}
  commands: [two]
  resources: {{gpu: 48GB, disk: 300GB}}
"""
SCALED = "{metric: rps, target: 2}"
ASLEEP = f"""{BASE}replicas:
- {{count: 0..1, scaling: {SCALED}, commands: [one], resources: {{gpu: 24GB}}}}
- {{count: 0..2, scaling: {SCALED}, commands: [two], resources: {{gpu: 48GB}}}}
"""
GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
POLICY = "aws:autoscaling/policy:Policy"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DYNAMIC = "pulumi-python:dynamic:Resource"


def names(made: Recording) -> set[tuple[str, str]]:
    return {(one.type, one.name) for one in made.resources}


def test_a_list_of_one_group_makes_what_a_service_without_groups_has(deploy: Deploy) -> None:
    flat = {(one.type, one.name): dict(one.inputs) for one in deploy(FLAT).resources}
    listed = {(one.type, one.name): dict(one.inputs) for one in deploy(f"{BASE}replicas:\n{FIRST}").resources}
    assert listed == flat


def test_a_second_group_adds_its_own_resources_and_leaves_the_others(deploy: Deploy) -> None:
    added = names(deploy(GROUPS)) - names(deploy(FLAT))
    assert names(deploy(FLAT)) <= names(deploy(GROUPS))
    assert added == {
        (GROUP, "run-big-replicas"),
        (TEMPLATE, "run-big-replica"),
        ("aws:ec2/securityGroup:SecurityGroup", "run-big-replica"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "run-big-replica-from-load-balancer"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "run-big-replica-to-anywhere"),
        ("aws:iam/rolePolicy:RolePolicy", "run-big-replace"),
        *((POLICY, f"run-big-{name}") for name in ("add", "remove", "wake")),
        *((ALARM, f"run-big-{name}") for name in ("remove", "wake", "give-up")),
    }


def test_groups_have_their_own_machines_behind_one_target_group(deploy: Deploy) -> None:
    made = deploy(GROUPS)
    target = made.made(made.one("aws:lb/targetGroup:TargetGroup")).outputs["arn"]
    found: dict[str, Any] = {}
    for group in made.of(GROUP):
        mixed = group.inputs["mixedInstancesPolicy"]
        template = made.one(TEMPLATE, group.name.removesuffix("s")).inputs
        script = gzip.decompress(base64.b64decode(plain(template["userData"]))).decode()
        arguments = next(line for line in script.splitlines() if line.startswith("ARGUMENTS="))
        found[group.name] = (
            group.inputs["minSize"],
            group.inputs["maxSize"],
            group.inputs["targetGroupArns"] == [target],
            mixed["launchTemplate"]["overrides"][0]["instanceType"],
            template["blockDeviceMappings"][0]["ebs"]["volumeSize"],
            [word for word in ("one", "two") if word in arguments],
        )
    assert found == {
        "run-replicas": (1, 1, True, "g6.xlarge", 100, ["one"]),
        "run-big-replicas": (0, 3, True, "g6e.xlarge", 300, ["two"]),
    }


def test_a_replica_can_replace_itself_in_its_own_group_and_in_no_other(deploy: Deploy) -> None:
    made = deploy(GROUPS)
    for name in ("run", "run-big"):
        arn = made.made(made.one(GROUP, f"{name}-replicas")).outputs["arn"]
        policy = json.loads(plain(made.one("aws:iam/rolePolicy:RolePolicy", f"{name}-replace").inputs["policy"]))
        assert [(one["Action"], one["Resource"]) for one in policy["Statement"]] == [
            (["autoscaling:SetInstanceHealth"], arn)
        ]


def test_a_group_is_scaled_by_all_requests_of_the_run_as_in_dstack(deploy: Deploy) -> None:
    made = deploy(GROUPS)
    target = made.made(made.one("aws:lb/targetGroup:TargetGroup")).outputs["arnSuffix"]
    balancer = next(made.cloud.records.of("aws:lb/loadBalancer:LoadBalancer")).outputs["arnSuffix"]
    group = made.made(made.one(GROUP, "run-big-replicas")).outputs["name"]
    requests = {
        "namespace": "AWS/ApplicationELB",
        "metricName": "RequestCount",
        "dimensions": [{"name": "LoadBalancer", "value": balancer}, {"name": "TargetGroup", "value": target}],
    }
    running = {
        "namespace": "AWS/AutoScaling",
        "metricName": "GroupInServiceInstances",
        "dimensions": [{"name": "AutoScalingGroupName", "value": group}],
    }
    assert made.one(POLICY, "run-big-add").inputs["targetTrackingConfiguration"] == {
        "targetValue": 150,
        "disableScaleIn": True,
        "customizedMetricSpecification": {
            "metrics": [
                {"id": "requests", "metricStat": {"metric": requests, "stat": "Sum"}, "returnData": False},
                {"id": "running", "metricStat": {"metric": running, "stat": "Average"}, "returnData": False},
                {
                    "id": "each",
                    "label": "Requests a minute a replica",
                    "expression": "requests / running",
                    "returnData": True,
                },
            ]
        },
    }
    counted, _, _, missing = made.one(ALARM, "run-big-remove").inputs["metricQueries"]
    assert (counted["id"], counted["metric"]["metricName"], counted["metric"]["stat"]) == ("all", "RequestCount", "Sum")
    assert missing["expression"] == "IF(FILL(healthy, 0) > 0, FILL(all, 0) - (running - 1) * 150, 1)"


def waking(made: Recording, name: str) -> tuple[str, Any]:
    metric = made.one(ALARM, name).inputs["metricQueries"][0]["metric"]
    return metric["metricName"], sorted(metric["dimensions"])


def test_who_counts_the_requests_that_wake_a_group(deploy: Deploy) -> None:
    """The gateway counts them only for a run that can have no replica at all."""
    assert waking(deploy(GROUPS), "run-big-wake") == ("RequestCount", ["LoadBalancer", "TargetGroup"])
    asleep = deploy(ASLEEP)
    assert waking(asleep, "run-wake") == waking(asleep, "run-1-wake") == ("Arrivals", ["Run", "Table"])
    record = item(asleep.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"]
    assert record["min_replicas"] == 0


def test_each_group_that_always_has_a_replica_is_waited_for_and_the_route_waits_for_all(deploy: Deploy) -> None:
    text = GROUPS.replace("count: 0..3", "count: 2..3")
    made = deploy(text)
    awaited = {
        one.name: (one.inputs["minimum"], one.inputs["replica_group"], one.inputs["group"])
        for one in made.of(DYNAMIC)
        if one.name.endswith("-readiness")
    }
    groups = {group.name: made.made(group).outputs["name"] for group in made.of(GROUP)}
    assert awaited == {
        "run-readiness": (1, "0", groups["run-replicas"]),
        "run-big-readiness": (2, "big", groups["run-big-replicas"]),
    }
    route = made.waits_for(made.one("aws:dynamodb/tableItem:TableItem", "run-run"))
    assert {made.one(DYNAMIC, name).urn for name in awaited} <= route
    assert [one.name for one in deploy(GROUPS).of(DYNAMIC) if one.name.endswith("-readiness")] == ["run-readiness"]


def test_the_dashboard_and_the_alarms_name_all_groups(deploy: Deploy) -> None:
    made = deploy(GROUPS, alarm_email="ops@example.com", budget="500")
    groups = {made.made(group).outputs["name"] for group in made.of(GROUP)}
    board = plain(made.one("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    assert all(name in board for name in groups)
    for name in ("no-replica", "budget"):
        queries = made.one(ALARM, f"run-{name}").inputs["metricQueries"]
        dimensions = [query["metric"]["dimensions"] for query in queries if "metric" in query]
        assert {one["AutoScalingGroupName"] for one in dimensions if "AutoScalingGroupName" in one} == groups


def test_the_role_can_pull_the_images_of_all_groups(deploy: Deploy) -> None:
    host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    made = deploy(
        "type: service\nport: 80\nreplicas:\n"
        f"- {{count: 1, image: '{host}/a:1', resources: {{gpu: 24GB}}}}\n"
        f"- {{count: 1, image: '{host}/b:1', resources: {{gpu: 24GB}}}}\n"
        f"- {{count: 1, image: '{host}/a:2', resources: {{gpu: 24GB}}}}\n"
    )
    policy = json.loads(plain(made.one("aws:iam/rolePolicy:RolePolicy", "run-replica").inputs["policy"]))
    pulls = [one["Resource"] for one in policy["Statement"] if "ecr:BatchGetImage" in one["Action"]]
    assert pulls == [f"arn:aws:ecr:us-east-1:123456789012:repository/{name}" for name in ("a", "b")]


def test_the_outputs_name_the_price_of_each_group(deploy: Deploy) -> None:
    exports = deploy(GROUPS).exports
    assert exports["hourly_price"] == (
        "group 0: $0.8048 an hour (g6.xlarge, on demand); group big: $1.861 an hour for each replica (g6e.xlarge, on "
        "demand)"
    )
