"""Alarms and dashboards of the stacks, as the program registers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account, plain

Deploy = Callable[..., Recording]
TGI = (
    "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.7\nport: 80\nresources: {gpu: 24GB}\n"
    "model: {type: chat, name: m, format: tgi, chat_template: '{{ messages }}', eos_token: '</s>'}\n"
)
EMAIL = "ops@example.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:on-call"
ALARM, DASHBOARD = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/dashboard:Dashboard"


def alarms(made: Recording) -> dict[str, Any]:
    return {one.name: plain(dict(one.inputs)) for one in made.of(ALARM)}


def test_without_someone_to_tell_there_are_dashboards_and_no_alarms(service: Recording, gateway: Recording) -> None:
    for made in (service, gateway):
        kinds = {one.type for one in made.resources}
        assert DASHBOARD in kinds
        assert [kind for kind in kinds if kind.startswith("aws:sns/") or kind == ALARM] == []


def test_an_address_gets_a_topic_a_subscription_and_the_alarms_of_a_run(deploy: Deploy) -> None:
    made = deploy(TGI, alarm_email=EMAIL, budget="900")
    topic = made.one("aws:sns/topic:Topic")
    arn = made.made(topic).id
    subscription = made.one("aws:sns/topicSubscription:TopicSubscription").inputs
    assert (subscription["topic"], subscription["protocol"], subscription["endpoint"]) == (arn, "email", EMAIL)
    told = alarms(made)
    assert sorted(told) == ["run-budget", "run-errors", "run-gpu-memory", "run-no-replica", "run-slow"]
    assert {(*one["alarmActions"], *one["okActions"]) for one in told.values()} == {(arn, arn)}
    balancer = next(made.cloud.records.of("aws:lb/loadBalancer:LoadBalancer")).outputs["arnSuffix"]
    target = made.made(made.one("aws:lb/targetGroup:TargetGroup")).outputs["arnSuffix"]
    healthy = {
        "namespace": "AWS/ApplicationELB",
        "metricName": "HealthyHostCount",
        "dimensions": {"LoadBalancer": balancer, "TargetGroup": target},
        "period": 60,
        "stat": "Maximum",
    }
    wanted = {
        "namespace": "AWS/AutoScaling",
        "metricName": "GroupDesiredCapacity",
        "dimensions": {"AutoScalingGroupName": made.made(made.one("aws:autoscaling/group:Group")).id},
        "period": 60,
        "stat": "Average",
    }
    assert {name: value for name, value in told["run-no-replica"].items() if name != "name"} == {
        "alarmDescription": "run has had no healthy replica for 35 minutes. Run make status and make logs.",
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "threshold": 1,
        "evaluationPeriods": 35,
        "treatMissingData": "notBreaching",
        "metricQueries": [
            {"id": "healthy", "metric": healthy},
            {"id": "wanted", "metric": wanted},
            {
                "id": "watched",
                "label": "no-replica",
                "expression": "IF(FILL(healthy, 0) < 1, wanted + 1, 0)",
                "returnData": True,
            },
        ],
        "alarmActions": [arn],
        "okActions": [arn],
    }
    table = next(made.cloud.records.of("aws:dynamodb/table:Table")).outputs["name"]
    errors, requests = (
        {
            "namespace": "servestack",
            "metricName": name,
            "dimensions": {"Table": table, "Run": "run"},
            "period": 300,
            "stat": "Sum",
        }
        for name in ("Errors", "Requests")
    )
    assert told["run-errors"]["metricQueries"] == [
        {"id": "errors", "metric": errors},
        {"id": "requests", "metric": requests},
        {
            "id": "watched",
            "label": "errors",
            "expression": "IF(errors >= 5, 100 * errors / requests, 0)",
            "returnData": True,
        },
    ]


def test_an_existing_topic_is_told_and_none_is_created(deploy: Deploy) -> None:
    made = deploy(TGI, alarm_topic=TOPIC)
    assert {(*one["alarmActions"], *one["okActions"]) for one in alarms(made).values()} == {(TOPIC, TOPIC)}
    assert [one for one in made.resources if one.type.startswith("aws:sns/")] == []


def test_a_run_name_that_is_taken_creates_no_topic(deploy: Deploy) -> None:
    made = deploy(TGI, alarm_email=EMAIL)
    claim = made.one("aws:dynamodb/tableItem:TableItem", "run-claim").urn
    kinds = ("aws:sns/topic:Topic", "aws:sns/topicSubscription:TopicSubscription", ALARM, DASHBOARD)
    assert [one.name for kind in kinds for one in made.of(kind) if claim not in made.waits_for(one)] == []


def test_neither_requests_nor_alarms_wait_for_each_other(deploy: Deploy) -> None:
    """A deployment that does not serve has its budget watched too."""
    made = deploy(TGI, alarm_email=EMAIL)
    serves = made.one("pulumi-python:dynamic:Resource", "run-readiness").urn
    assert [one.name for one in made.of(ALARM) if serves in made.waits_for(one)] == []
    route = made.waits_for(made.one("aws:dynamodb/tableItem:TableItem", "run-run"))
    assert [one.name for one in made.of(ALARM) if one.urn in route] == []


def test_a_gateway_tells_of_itself_and_is_torn_down_after_the_question(account: Account) -> None:
    path = account.written("gateway.yml", f"{GATEWAY}domain: example.com\n")
    made = account.up("gateway", {"configuration": path, "alarm_topic": TOPIC, "budget": "100"})
    assert sorted(alarms(made)) == ["gateway-budget", "gateway-errors"]
    (teardown,) = [one for one in made.resources if one.name.startswith("gateway-teardown")]
    waited = made.waits_for(teardown)
    assert [one.name for one in (*made.of(ALARM), *made.of(DASHBOARD)) if one.urn not in waited] == []


def test_the_dashboards_name_what_is_deployed(gateway: Recording, service: Recording) -> None:
    (body,) = [json.loads(plain(one.inputs["dashboardBody"])) for one in gateway.of(DASHBOARD)]
    shown = json.dumps(body)
    for type, name in (
        ("aws:dynamodb/table:Table", "name"),
        ("aws:lambda/function:Function", "name"),
        ("aws:apigateway/restApi:RestApi", "name"),
    ):
        assert f'"{gateway.made(gateway.one(type)).outputs[name]}"' in shown
    assert f'"{gateway.made(gateway.one("aws:apigateway/stage:Stage")).outputs["stageName"]}"' in shown
    (body,) = [json.loads(plain(one.inputs["dashboardBody"])) for one in service.of(DASHBOARD)]
    shown = json.dumps(body)
    assert f'"{service.made(service.one("aws:autoscaling/group:Group")).id}"' in shown
    assert f'"{service.made(service.one("aws:lb/targetGroup:TargetGroup")).outputs["arnSuffix"]}"' in shown


@pytest.mark.parametrize("kind", ["service", "gateway"])
def test_a_topic_of_another_region_is_refused(account: Account, tmp_path: Path, kind: str) -> None:
    far = TOPIC.replace("us-east-1", "eu-west-1")
    if kind == "service":
        account.with_gateway(f"{GATEWAY}domain: example.com\n")
    path = account.written("c.yml", TGI if kind == "service" else f"{GATEWAY}domain: example.com\n")
    refused = account.attempt("run" if kind == "service" else "gateway", {"configuration": path, "alarm_topic": far})
    (error,) = refused.errors
    assert error.endswith(
        "stack config alarm_topic\n"
        "  found:  a topic in eu-west-1\n"
        "  rule:   alarms tell a topic of their own region, which is us-east-1\n"
        "  remedy: create a topic in us-east-1 and set alarm_topic to its ARN, or set alarm_email"
    )
    assert refused.of(ALARM) == ()
