"""The alarms that tell someone: the program's own, minute by minute."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cloud.alarms.service import Process, Service

Deploy = Callable[..., Service]
MODEL = "type: service\nimage: vllm/vllm-openai\nport: 8000\nmodel: some/model\nresources: {gpu: 24GB}\n"
OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"


def test_a_mail_comes_when_an_alarm_begins_and_when_it_ends(service: Deploy) -> None:
    one = service(MODEL, alarm_email="ops@example.com", budget=100)
    one.minutes(2)
    at_first = {(old, new) for _, old, new, _ in one.mails()}
    one.writes = lambda: one.logs({"Requests": [1] * 20, "Errors": [1] * 6})
    one.minutes(8)
    failing = (one.alarms(), one.mails())
    one.writes = lambda: one.logs({"Requests": [1] * 20, "Errors": [0] * 20})
    one.minutes(8)
    healed = (one.alarms(), one.mails())
    says = (
        "run answers with errors: at least 5 requests and 5 % of all in 5 minutes, twice in a row. Run make status and "
        "make logs."
    )
    named = f'"{one.name}-run-errors" in us-east-1'
    quiet = {"errors": OK, "no-replica": OK, "slow": OK, "gpu-memory": OK, "budget": OK}
    assert at_first == {(UNKNOWN, OK)}
    assert failing == ({**quiet, "errors": ALARM}, [(f"ALARM: {named}", OK, ALARM, says)])
    assert healed == (quiet, [(f"OK: {named}", ALARM, OK, says)])


def test_one_slow_stream_in_twenty_is_too_many(service: Deploy) -> None:
    one = service(MODEL, alarm_email="ops@example.com")
    one.writes = lambda: one.logs({"TimeToFirstToken": [100] * 19 + [10_000]})
    one.minutes(18)
    quick = one.alarms()["slow"]
    one.writes = lambda: one.logs({"TimeToFirstToken": [100] * 18 + [10_000] * 2})
    one.minutes(18)
    assert (quick, one.alarms()["slow"]) == (OK, ALARM)


def test_a_service_without_a_healthy_replica_and_one_with_a_full_gpu_are_told(service: Deploy) -> None:
    one = service(MODEL, alarm_email="ops@example.com", boot_timeout="10m")
    one.minutes(4)
    one.writes = lambda: one.logs({"GpuMemory": 98.5})
    one.minutes(16)
    full = one.alarms()
    one.serves, one.writes = False, None
    one.minutes(16)
    away = one.alarms()
    quiet = {"errors": OK, "no-replica": OK, "slow": OK, "gpu-memory": OK}
    assert (full, away) == ({**quiet, "gpu-memory": ALARM}, {**quiet, "no-replica": ALARM})


def test_a_disabled_alarm_tells_nobody(service: Deploy) -> None:
    one = service(MODEL, alarm_email="ops@example.com")
    one.minutes(2)
    one.mails()
    one.cloudwatch.disable_alarm_actions(AlarmNames=[f"{one.name}-run-errors"])
    one.writes = lambda: one.logs({"Requests": [1] * 20, "Errors": [1] * 6})
    one.minutes(8)
    assert (one.alarms()["errors"], one.mails()) == (ALARM, [])


def test_the_reason_of_a_state_is_shown(service: Deploy) -> None:
    one = service(MODEL, alarm_email="ops@example.com")
    one.minutes(2)
    [shown] = one.cloudwatch.describe_alarms(AlarmNames=[f"{one.name}-run-slow"])["MetricAlarms"]
    assert (shown["StateValue"], shown["StateReason"]) == (
        OK,
        "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
        "[NonBreaching].",
    )


def test_an_alarm_that_is_changed_keeps_its_state(service: Deploy) -> None:
    one = service(MODEL, alarm_email="ops@example.com")
    new = {
        "AlarmName": f"{one.name}-run-new",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "Namespace": "servestack",
        "MetricName": "Requests",
        "Statistic": "Sum",
        "Period": 60,
        "TreatMissingData": "notBreaching",
    }
    one.cloudwatch.put_metric_alarm(**new, Threshold=1)
    created = one.alarms()["new"]
    one.minutes(1)
    one.cloudwatch.put_metric_alarm(**new, Threshold=2)
    assert (created, one.alarms()["new"]) == (UNKNOWN, OK)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"Statistic": "TM(10%:90%)"}, "the statistic TM(10%:90%) is not known to this cloud"),
        (
            {"ComparisonOperator": "LessThanLowerThreshold"},
            "the comparison LessThanLowerThreshold is not known to this cloud",
        ),
        ({"Expression": "DIFF(m)"}, "DIFF with 1 arguments is not known to this cloud"),
        ({"Expression": "m + other"}, "no query has the id other"),
        ({"Expression": "m +"}, "'m +' ends too early"),
        ({"Returned": "both"}, "an alarm needs exactly one query whose ReturnData is true"),
    ],
)
def test_an_alarm_that_could_never_ring_is_refused(process: Process, change: dict[str, str], problem: str) -> None:
    cloudwatch = process.client("cloudwatch")
    given = {"ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum", "Expression": "m", **change}
    stat = {"Metric": {"Namespace": "n", "MetricName": "M"}, "Period": 60, "Stat": given["Statistic"]}
    with pytest.raises(cloudwatch.exceptions.ClientError) as refused:
        cloudwatch.put_metric_alarm(
            AlarmName="never",
            ComparisonOperator=given["ComparisonOperator"],
            EvaluationPeriods=1,
            Threshold=1,
            Metrics=[
                {"Id": "m", "MetricStat": stat, "ReturnData": "Returned" in change},
                {"Id": "e", "Expression": given["Expression"]},
            ],
        )
    assert refused.value.response["Error"]["Message"] == problem
    assert cloudwatch.describe_alarms(AlarmNames=["never"])["MetricAlarms"] == []
