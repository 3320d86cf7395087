"""What adds replicas to a service, and takes them away."""

from __future__ import annotations

from collections.abc import Callable

from tests.aws.recording import Recording
from tests.components.deploying import TOKEN, item, plain

Deploy = Callable[..., Recording]
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
GROUP = "aws:autoscaling/group:Group"
DYNAMIC = "pulumi-python:dynamic:Resource"
SCALED = f"{WEB}replicas: 1..4\nscaling: {{metric: rps, target: 2.5, scale_up_delay: 2m, scale_down_delay: 15m}}\n"


def test_replicas_are_added_by_requests_a_minute_and_replica(deploy: Deploy) -> None:
    """Replicas that start count too, or slow starts would add more of them for the same load."""
    service = deploy(SCALED)
    add = service.one("aws:autoscaling/policy:Policy", "run-add")
    target = service.made(service.one("aws:lb/targetGroup:TargetGroup")).outputs["arnSuffix"]
    balancer = next(service.cloud.records.of("aws:lb/loadBalancer:LoadBalancer")).outputs["arnSuffix"]
    requests = {
        "namespace": "AWS/ApplicationELB",
        "metricName": "RequestCount",
        "dimensions": [{"name": "LoadBalancer", "value": balancer}, {"name": "TargetGroup", "value": target}],
    }
    running = {
        "namespace": "AWS/AutoScaling",
        "metricName": "GroupInServiceInstances",
        "dimensions": [{"name": "AutoScalingGroupName", "value": service.made(service.one(GROUP)).outputs["name"]}],
    }
    assert {name: add.inputs[name] for name in add.inputs if name not in ("name", "autoscalingGroupName")} == {
        "policyType": "TargetTrackingScaling",
        "estimatedInstanceWarmup": 120,
        "targetTrackingConfiguration": {
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
        },
    }
    waited = service.waits_for(add)
    assert {service.one(GROUP).urn, service.one("aws:lb/listenerRule:ListenerRule").urn} <= waited
    group = service.one(GROUP).inputs
    assert (group["minSize"], group["maxSize"]) == (1, 4)


def test_a_replica_is_taken_away_when_one_less_sufficed_all_through_the_delay(deploy: Deploy) -> None:
    service = deploy(SCALED)
    remove = service.one("aws:autoscaling/policy:Policy", "run-remove").inputs
    assert {name: remove[name] for name in ("policyType", "adjustmentType", "scalingAdjustment", "cooldown")} == {
        "policyType": "SimpleScaling",
        "adjustmentType": "ChangeInCapacity",
        "scalingAdjustment": -1,
        "cooldown": 900,
    }
    alarm = service.one("aws:cloudwatch/metricAlarm:MetricAlarm").inputs
    assert alarm["alarmActions"] == [
        service.made(service.one("aws:autoscaling/policy:Policy", "run-remove")).outputs["arn"]
    ]
    assert (alarm["comparisonOperator"], alarm["threshold"], alarm["evaluationPeriods"]) == (
        "LessThanOrEqualToThreshold",
        0,
        15,
    )
    each, running, healthy, missing = alarm["metricQueries"]
    assert (each["metric"]["metricName"], each["metric"]["stat"], each["metric"]["period"]) == (
        "RequestCountPerTarget",
        "Sum",
        60,
    )
    assert running["metric"]["metricName"] == "GroupInServiceInstances"
    assert healthy["metric"]["metricName"] == "HealthyHostCount"
    assert set(healthy["metric"]["dimensions"]) == {"LoadBalancer", "TargetGroup"}
    assert missing["returnData"] is True
    assert "GroupInServiceInstances" in service.one(GROUP).inputs["enabledMetrics"]


MINUTES = [
    (2, 2, 75, True),
    (2, 2, 76, False),
    (3, 3, 100, True),
    (3, 3, 101, False),
    (1, 1, 0, True),
    (1, 1, 1, False),
    (1, 1, None, True),
    (1, 0, None, False),
    (1, None, None, False),
    (0, None, None, False),
]
"""(replicas in service, healthy ones, requests of each, whether one less suffices) at 150 requests a minute for one.
`None` is what the load balancer does not report. A replica that still starts is not idle."""


def test_what_the_alarm_takes_for_one_replica_too_many(deploy: Deploy) -> None:
    alarm = deploy(SCALED.replace("1..4", "0..4")).one("aws:cloudwatch/metricAlarm:MetricAlarm", "run-remove").inputs
    expression = next(one["expression"] for one in alarm["metricQueries"] if "expression" in one)
    seen = [
        (*minute, evaluated(expression, **dict(zip(("running", "healthy", "each"), minute, strict=True))))
        for *minute, _ in MINUTES
    ]
    assert [(*minute, value <= alarm["threshold"]) for *minute, value in seen] == MINUTES


def evaluated(expression: str, **metrics: int | None) -> float:
    """CloudWatch's metric math at one minute, as far as it is used here."""
    functions = {
        "FILL": lambda metric, instead: instead if metric is None else metric,
        "IF": lambda condition, yes, no: yes if condition else no,
    }
    return eval(expression, {}, {**functions, **metrics})


def test_from_zero_a_request_that_the_gateway_sees_starts_the_first_replica(deploy: Deploy) -> None:
    service = deploy(SCALED.replace("1..4", "0..4"))
    wake = service.one("aws:autoscaling/policy:Policy", "run-wake")
    assert (wake.inputs["policyType"], wake.inputs["adjustmentType"], wake.inputs["stepAdjustments"]) == (
        "StepScaling",
        "ExactCapacity",
        [{"scalingAdjustment": 1, "metricIntervalLowerBound": "0"}],
    )
    alarm = service.one("aws:cloudwatch/metricAlarm:MetricAlarm", "run-wake").inputs
    arrivals, wanted, unserved = alarm["metricQueries"]
    table = next(service.cloud.records.of("aws:dynamodb/table:Table")).id
    metric = arrivals["metric"]
    assert (metric["namespace"], metric["metricName"], metric["dimensions"]) == (
        "servestack",
        "Arrivals",
        {"Table": table, "Run": "run"},
    )
    assert wanted["metric"]["metricName"] == "GroupDesiredCapacity"
    assert unserved["expression"] == "IF(wanted < 1, arrivals, 0)"
    assert item(service.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"]["min_replicas"] == 0


def test_a_replica_that_was_started_at_a_request_and_never_serves_is_taken_away(deploy: Deploy) -> None:
    service = deploy(SCALED.replace("1..4", "0..4"), boot_timeout="45m")
    alarm = service.one("aws:cloudwatch/metricAlarm:MetricAlarm", "run-give-up").inputs
    remove = service.made(service.one("aws:autoscaling/policy:Policy", "run-remove")).outputs["arn"]
    assert (alarm["alarmActions"], alarm["evaluationPeriods"], alarm["treatMissingData"]) == (
        [remove],
        45,
        "notBreaching",
    )
    expression = next(one["expression"] for one in alarm["metricQueries"] if "expression" in one)
    names = ("running", "healthy", "answered")
    hopeless = [
        (*seen, evaluated(expression, **dict(zip(names, seen, strict=True))) >= alarm["threshold"]) for *seen, _ in SEEN
    ]
    assert hopeless == SEEN


SEEN = [
    (0, None, None, False),
    (1, None, None, True),
    (2, 0, None, True),
    (2, 0, 0, True),
    (2, 0, 1, False),
    (1, 1, None, False),
    (2, 1, 3, False),
]
"""(replicas in service, healthy ones, good answers, whether the minute counts as hopeless). Busy replicas answer."""


def test_a_service_that_scales_is_made_between_its_claim_and_its_route_and_all_of_it_goes_with_it(
    deploy: Deploy,
) -> None:
    service = deploy(f"{SCALED.replace('1..4', '0..4')}env: {{HF_TOKEN: {TOKEN}}}\n")
    claim, route = (service.one("aws:dynamodb/tableItem:TableItem", f"run-{name}") for name in ("claim", "run"))
    between = [one for one in service.resources if one.type.startswith("aws:") and one not in (claim, route)]
    assert [one.name for one in between if claim.urn not in service.waits_for(one)] == []
    assert [one.name for one in between if one.urn not in service.waits_for(route)] == ["run-dashboard"]
    kept = [one.name for one in service.resources if one.protect or one.retain_on_delete or one.deleted_with]
    assert kept == [], "nothing of a service outlives its stack, or would keep it"


def test_replicas_without_scaling_have_no_policy(deploy: Deploy) -> None:
    service = deploy(f"{WEB}replicas: 2\n")
    assert service.of("aws:autoscaling/policy:Policy") == ()
    group = service.one(GROUP).inputs
    assert (group["minSize"], group["maxSize"]) == (2, 2)
    assert group["instanceRefresh"]["preferences"]["maxHealthyPercentage"] == 150
    assert plain(service.one(DYNAMIC, "run-readiness").inputs["minimum"]) == 2
