"""A service that scales: the program's own policies and alarms, minute by minute."""

from __future__ import annotations

from collections.abc import Callable

from tests.cloud.alarms.service import Service

Deploy = Callable[..., Service]
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
SCALED = f"{WEB}replicas: 1..3\nscaling: {{metric: rps, target: 2.5, scale_up_delay: 2m, scale_down_delay: 5m}}\n"
CREATED = "a user request created an AutoScalingGroup"


def because(alarm: str, policy: str, before: int, after: int) -> str:
    """The cause of an activity."""
    change = f"changing the desired capacity from {before} to {after}."
    return f"a monitor alarm {alarm} in state ALARM triggered policy {policy} {change}"


def test_replicas_follow_the_load_up_and_down(service: Deploy) -> None:
    one = service(SCALED)
    one.minutes(3)
    one.load = 400
    one.minutes(12)
    busy = one.alarms()
    one.load = 0
    one.minutes(15)
    # Three minutes of 400 requests for one replica, of which each takes 150; then one replica less, every five minutes
    # after the last one is gone. Each is noticed a minute late.
    assert (one.history, busy) == ([(1, 1), (7, 3), (21, 2), (27, 1)], {"remove": "OK"})
    high, _ = one.tracking()
    remove, by = f"{one.name}-run-remove", f"{one.name}-run-remove"
    assert one.causes() == [
        f"{CREATED} changing the desired capacity from 0 to 1.",
        because(high, f"{one.name}-run-add", 1, 3),
        because(remove, by, 3, 2),
        because(remove, by, 2, 1),
    ]


def test_a_load_that_grows_while_replicas_warm_up_adds_no_more_than_it_needs(service: Deploy) -> None:
    one = service(SCALED.replace("1..3", "1..9").replace("scale_up_delay: 2m", "scale_up_delay: 10m"))
    one.minutes(2)
    one.load = 400
    one.minutes(8)
    first = list(one.history)
    one.load = 1200
    one.minutes(20)
    # While two of three warm up, one replica serves 400 of 1200: that is 3 times 150. Then three serve 1200: 8.
    assert (first, one.history) == ([(1, 1), (6, 3)], [(1, 1), (6, 3), (16, 8)])


def test_target_tracking_follows_metric_math(service: Deploy) -> None:
    one = service(f"{WEB}replicas: 1..3\nscaling: {{metric: rps, target: 100, scale_down_delay: 1h}}\n")
    answered = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "HTTPCode_Target_2XX_Count",
        "Dimensions": one.dimensions,
    }
    running = {
        "Namespace": "AWS/AutoScaling",
        "MetricName": "GroupInServiceInstances",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": one.name}],
    }
    one.autoscaling.put_scaling_policy(
        AutoScalingGroupName=one.name,
        PolicyName="math",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "TargetValue": 150,
            "DisableScaleIn": True,
            "CustomizedMetricSpecification": {
                "Metrics": [
                    {"Id": "all", "MetricStat": {"Metric": answered, "Stat": "Sum"}, "ReturnData": False},
                    {"Id": "running", "MetricStat": {"Metric": running, "Stat": "Average"}, "ReturnData": False},
                    {"Id": "each", "Expression": "all / running", "ReturnData": True},
                ]
            },
        },
    )
    one.minutes(3)
    one.load = 400
    one.minutes(12)
    assert one.history == [(1, 1), (7, 3)]


def test_the_alarms_of_target_tracking_belong_to_its_policy(service: Deploy) -> None:
    one = service(SCALED)
    policies = one.autoscaling.describe_policies(AutoScalingGroupName=one.name)["ScalingPolicies"]
    shown = {policy["PolicyName"]: [alarm["AlarmName"] for alarm in policy["Alarms"]] for policy in policies}
    high, low = one.tracking()
    assert shown == {f"{one.name}-run-add": [high, low], f"{one.name}-run-remove": [f"{one.name}-run-remove"]}
    found = one.cloudwatch.describe_alarms(AlarmNames=[high, low])["MetricAlarms"]
    made = {alarm["AlarmName"]: alarm for alarm in found}
    members = ("Namespace", "MetricName", "Statistic", "Period", "ComparisonOperator", "Threshold", "EvaluationPeriods")
    assert [[made[name][member] for member in members] for name in (high, low)] == [
        ["AWS/ApplicationELB", "RequestCountPerTarget", "Sum", 60, "GreaterThanThreshold", 150.0, 3],
        ["AWS/ApplicationELB", "RequestCountPerTarget", "Sum", 60, "LessThanThreshold", 135.0, 15],
    ]
    [add] = [policy["PolicyARN"] for policy in policies if policy["PolicyName"] == f"{one.name}-run-add"]
    assert made[high]["AlarmActions"] == made[low]["AlarmActions"] == [add]


def test_a_waiting_request_wakes_a_service_that_sleeps_again_when_nothing_comes(service: Deploy) -> None:
    one = service(SCALED.replace("1..3", "0..3"))
    one.minutes(4)
    asleep = list(one.history)
    one.logs({"Arrivals": 1})
    one.minutes(1)
    woken = list(one.history)
    one.minutes(2)
    one.load = 10
    one.minutes(4)
    one.load = 0
    one.minutes(12)
    assert (asleep, woken) == ([(1, 0)], [(1, 0)])
    assert one.history == [(1, 0), (6, 1), (17, 0)]
    assert one.causes() == [
        because(f"{one.name}-run-wake", f"{one.name}-run-wake", 0, 1),
        because(f"{one.name}-run-remove", f"{one.name}-run-remove", 1, 0),
    ]


def test_a_replica_that_never_serves_is_given_up(service: Deploy) -> None:
    one = service(SCALED.replace("1..3", "0..3"), boot_timeout="10m")
    one.serves = False
    one.minutes(1)
    one.logs({"Arrivals": 1})
    one.minutes(20)
    assert one.history == [(1, 0), (3, 1), (15, 0)]
    assert one.causes() == [
        because(f"{one.name}-run-wake", f"{one.name}-run-wake", 0, 1),
        because(f"{one.name}-run-give-up", f"{one.name}-run-remove", 1, 0),
    ]


def test_a_group_that_ignores_alarms_keeps_its_size(service: Deploy) -> None:
    one = service(SCALED)
    one.autoscaling.suspend_processes(AutoScalingGroupName=one.name, ScalingProcesses=["AlarmNotification"])
    one.minutes(2)
    one.load = 400
    one.minutes(8)
    assert (one.history, one.state(one.tracking()[0])) == ([(1, 1)], "ALARM")
