"""When alarms tell someone: each over values of a period, and with the silence of a run that sleeps."""

from __future__ import annotations

from typing import Any

import pytest

from infra.planning.alarm_plan import AlarmPlan
from infra.planning.alarms import Alarm, gateway_alarms, service_alarms
from tests.monitoring.metric_math import breaches
from tests.preflight.plans import WEB, gateway_plan, service_plan

TGI = "type: service\nimage: tgi\nport: 80\nmodel: {name: m, format: openai}\nresources: {gpu: 24GB}\n"
SLEEPS = "replicas: 0..2\nscaling: {metric: rps, target: 1}\n"
SCHEDULED = "schedule: {cron: '0 8 * * mon-fri'}\nmax_duration: 10h\n"
ENDS_UNUSED = "utilization_policy: {min_gpu_utilization: 10, time_window: 1h}\n"
EMAIL: dict[str, Any] = {"alarm_email": "ops@example.com"}


def of_service(name: str, text: str = TGI, **said: Any) -> Alarm:
    (alarm,) = [one for one in service_alarms(service_plan(text, **{**EMAIL, **said})) if one.name == name]
    return alarm


def names(text: str, **said: Any) -> list[str]:
    return [alarm.name for alarm in service_alarms(service_plan(text, **said))]


def test_nobody_is_told_unless_someone_is_named() -> None:
    assert service_plan(TGI).alarms is None
    assert (service_alarms(service_plan(TGI)), gateway_alarms(gateway_plan())) == ((), ())
    topic = "arn:aws:sns:us-east-1:123456789012:on-call"
    assert service_plan(TGI, alarm_topic=topic).alarms == AlarmPlan(topic=topic)


def test_a_run_has_the_alarms_that_mean_something_for_it() -> None:
    assert names(TGI, **EMAIL, budget=900) == ["no-replica", "errors", "slow", "gpu-memory", "budget"]
    assert names(TGI, **EMAIL) == ["no-replica", "errors", "slow", "gpu-memory"]
    assert names(TGI + SLEEPS, **EMAIL) == ["no-replica", "errors", "slow", "gpu-memory"]
    assert names(f"{TGI}replicas: 0\n", **EMAIL) == ["errors", "slow", "gpu-memory"]
    assert names(f"{WEB}resources: {{gpu: 24GB}}\n", **EMAIL) == ["no-replica", "errors", "gpu-memory"]
    assert [alarm.name for alarm in gateway_alarms(gateway_plan(**EMAIL))] == ["errors"]


def test_no_replica_is_told_after_the_time_that_a_successor_can_take() -> None:
    alarm = of_service("no-replica", boot_timeout="10m")
    assert alarm.period * alarm.periods == 600 + 300
    for wanted, told in ((1, True), (0, True), (None, False)):
        values = [{"healthy": healthy, "wanted": wanted} for healthy in (None, 0, 1, 3)]
        assert [breaches(alarm, one) for one in values] == [told, told, False, False], "without a group, it is new"
    longest = of_service("no-replica", boot_timeout="24h")
    assert longest.period * longest.periods == 24 * 3600, "the most that an alarm can look back"
    assert of_service("no-replica").says == (
        "yellow-cat-1 has had no healthy replica for 35 minutes. Run make status and make logs."
    )


@pytest.mark.parametrize("ends", [SLEEPS, SCHEDULED, ENDS_UNUSED, SCHEDULED + SLEEPS])
def test_no_replica_of_a_run_that_does_not_always_run_is_told_only_while_it_wants_one(ends: str) -> None:
    alarm = of_service("no-replica", TGI + ends)
    for wanted, told in ((None, False), (0, False), (1, True), (2, True)):
        values = [{"healthy": healthy, "wanted": wanted} for healthy in (None, 0, 1, 3)]
        assert [breaches(alarm, one) for one in values] == [told, told, False, False], wanted


@pytest.mark.parametrize(
    ("ends", "minutes"), [("", 15), (SCHEDULED, 15), (ENDS_UNUSED, 15), (SLEEPS, 10), (SCHEDULED + SLEEPS, 10)]
)
def test_a_wake_that_fails_is_told_before_scaling_takes_the_replica_away(ends: str, minutes: int) -> None:
    """After boot_timeout the group wants no replica, until the next request comes."""
    alarm = of_service("no-replica", TGI + ends, boot_timeout="10m")
    assert alarm.period * alarm.periods == minutes * 60


@pytest.mark.parametrize(
    ("errors", "requests", "told"),
    [
        (None, None, False),
        (0, 100, False),
        (4, 4, False),
        (5, 5, True),
        (5, 100, True),
        (5, 101, False),
        (50, 1000, True),
    ],
)
def test_errors_are_told_from_five_and_from_five_percent(
    errors: float | None, requests: float | None, told: bool
) -> None:
    values = {"errors": errors, "requests": requests, "healthy": 1}
    assert breaches(of_service("errors"), values) is told
    assert breaches(of_service("errors", TGI + SLEEPS), values) is told


@pytest.mark.parametrize("ends", [SLEEPS, SCHEDULED, ENDS_UNUSED])
@pytest.mark.parametrize("healthy", [None, 0])
def test_errors_of_a_run_that_sleeps_or_wakes_are_not_told(healthy: float | None, ends: str) -> None:
    """Its callers get 502, 503 or 504 until the first replica serves."""
    alarm = of_service("errors", TGI + ends)
    assert not breaches(alarm, {"errors": 50, "requests": 50, "healthy": healthy})
    assert alarm.periods == 2, "the period in which the replica becomes healthy has errors of before"


@pytest.mark.parametrize("ends", [SLEEPS, SCHEDULED, ENDS_UNUSED])
@pytest.mark.parametrize("name", ["no-replica", "errors", "slow", "gpu-memory", "budget"])
def test_a_run_that_sleeps_is_silent(name: str, ends: str) -> None:
    alarm = of_service(name, TGI + ends, budget=1)
    none = dict.fromkeys((metric.id for metric in alarm.metrics), None)
    assert not breaches(alarm, {**none, **({"wanted": 0} if "wanted" in none else {})})


def test_slow_first_tokens_and_full_gpus_are_told_after_15_minutes() -> None:
    for name, id, most in (("slow", "first", 10_000), ("gpu-memory", "memory", 98)):
        alarm = of_service(name)
        assert alarm.period * alarm.periods == 900
        assert [breaches(alarm, {id: value}) for value in (most - 0.1, most)] == [False, True]


def test_a_budget_of_what_the_replicas_cost_is_kept_and_one_below_is_not() -> None:
    plan = service_plan(f"{TGI}replicas: 2\n", **EMAIL)
    month = 2 * (plan.offers[0].price * 730 + plan.disk_gb * 0.08 + 0.005 * 730)
    minutes_of_a_day = {"minutes": 2 * 24 * 60.0}
    assert not breaches(of_service("budget", f"{TGI}replicas: 2\n", budget=month * 1.001), minutes_of_a_day)
    assert breaches(of_service("budget", f"{TGI}replicas: 2\n", budget=month * 0.999), minutes_of_a_day)


def test_the_budget_is_told_within_the_hours_in_which_a_day_s_part_is_spent() -> None:
    """Four replicas spend the day's part of one in six hours."""
    plan = service_plan(TGI, **EMAIL)
    month = (plan.offers[0].price + 0.005) * 730 + plan.disk_gb * 0.08
    alarm = of_service("budget", budget=month)
    assert (alarm.period, alarm.periods) == (86_400, 1), "a window of a day that slides"
    assert [breaches(alarm, {"minutes": hours * 60 * 4}) for hours in (5.9, 6.1)] == [False, True]


def test_a_gateway_tells_of_its_function_and_of_its_own_cost() -> None:
    errors, budget = gateway_alarms(gateway_plan(**EMAIL, budget=100))
    for values, told in (
        ({"errors": None, "throttles": None, "calls": None}, False),
        ({"errors": 4, "throttles": 0, "calls": 10}, False),
        ({"errors": 5, "throttles": 0, "calls": 101}, False),
        ({"errors": 5, "throttles": 0, "calls": 100}, True),
        ({"errors": 0, "throttles": 20, "calls": 80}, True),
        ({"errors": None, "throttles": 20, "calls": None}, True),
    ):
        assert breaches(errors, values) is told, values
    # A day's part of $100 is $3.29: the load balancer takes $0.54, an hour of memory at 256 MB $0.012.
    hours = (100 * 24 / 730 - 24 * 0.0225) / (3600 * 0.25 * 0.0000133334)
    quiet = {"calls": 0, "count": None}
    assert not breaches(budget, {"duration": (hours - 1) * 3_600_000, **quiet})
    assert breaches(budget, {"duration": (hours + 1) * 3_600_000, **quiet})
    assert not breaches(budget, {"duration": None, "calls": None, "count": None})


def test_notes_say_what_a_reader_has_to_do() -> None:
    plan = service_plan(f"{TGI}replicas: 1\n", **EMAIL, budget=100)
    assert plan.notes[-2:] == (
        "alarm_email is ops@example.com: AWS sends it a mail with a link. Alarms reach nobody until someone opens that "
        "link.",
        "budget is $100, but the stack costs $599.15 a month without a single request: the alarm is always on.",
    )
    topic = "arn:aws:sns:us-east-1:123456789012:on-call"
    for ends in (SLEEPS, SCHEDULED, ENDS_UNUSED):
        notes = service_plan(TGI + ends, alarm_topic=topic, budget=1).notes
        assert [note for note in notes if "budget" in note] == [], ends
    block = (
        f"{TGI.replace('24GB', '80GB:8')}reservation: cr-0123456789abcdef0\n"
        "instance_types: [p5.48xlarge]\navailability_zones: [us-east-1a]\n"
    )
    of_block = service_plan(block, alarm_topic=topic, budget=10, capacity_block=True)
    assert of_block.notes[-1] == (
        "budget is $10, but the stack costs $11.65 a month without a single request: the alarm is always on."
    ), "its volume and its address"
    assert gateway_plan(alarm_topic=topic, budget=16.43).notes == ()
    assert gateway_plan(alarm_topic=topic, budget=16.42).notes == (
        "budget is $16.42, but the stack costs $16.43 a month without a single request: the alarm is always on.",
    )
