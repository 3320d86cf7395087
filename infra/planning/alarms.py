"""The alarms of a gateway and of a run: what they watch, and when they tell someone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from infra.configuration import GatewaySettings, Problem, ServiceSettings
from infra.planning.alarm_plan import AlarmPlan
from infra.planning.gateway_plan import GatewayPlan
from infra.planning.metrics import MINUTE, Metric, of_function, of_group, of_run, of_targets
from infra.planning.plan import ServicePlan
from infra.planning.prices import HOURS
from infra.planning.spending import Spending, gateway_spending, service_spending
from infra.planning.text import number

FIVE_MINUTES, DAY = 300, 86_400
FEWEST_ERRORS = 5
"""Errors in five minutes. Fewer can be one caller who tries again, and a share of few requests says little."""
ERROR_PERCENT = 5
"""Errors in 100 requests: more than what replicas that come and go can cause in a healthy service."""
SLOW = 10_000
"""Milliseconds until the first token: how long people keep their attention on a task
(nngroup.com/articles/response-times-3-important-limits)."""
FULL = 98
"""Percent of a GPU's memory. Model servers reserve 90 to 95 % at their start (vLLM: `--gpu-memory-utilization`); what
grows beyond that ends in an out-of-memory error."""
LONGEST = DAY // MINUTE
"""Periods of a minute that an alarm can look back (CloudWatch API: PutMetricAlarm)."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A condition that someone is told about, when it begins and when it ends."""

    name: str
    says: str
    """What has happened and what to do, for the mail."""
    metrics: tuple[Metric, ...]
    expression: str | None = None
    """Metric math; `None`: the only metric."""
    comparison: Literal["GreaterThanThreshold", "GreaterThanOrEqualToThreshold"] = "GreaterThanOrEqualToThreshold"
    threshold: float
    period: int
    """Seconds."""
    periods: int
    """Periods in a row for which the condition must hold. It does not hold in a period without data: a run that sleeps
    has none."""


def alarm_plan(settings: ServiceSettings | GatewaySettings) -> AlarmPlan | None:
    """Return who is told; `None`: nobody, and there are no alarms."""
    if settings.alarm_email is None and settings.alarm_topic is None:
        return None
    return AlarmPlan(email=settings.alarm_email, topic=settings.alarm_topic, budget=settings.budget)


def topic_problems(alarms: AlarmPlan | None, region: str) -> list[Problem]:
    """Return what is wrong with a topic of another region: AWS would take it, and then tell nobody."""
    if alarms is None or alarms.topic is None or (of_topic := alarms.topic.split(":")[3]) == region:
        return []
    rule = f"alarms tell a topic of their own region, which is {region}"
    remedy = f"create a topic in {region} and set alarm_topic to its ARN, or set alarm_email"
    return [Problem(where="stack config alarm_topic", found=f"a topic in {of_topic}", rule=rule, remedy=remedy)]


def service_alarms(plan: ServicePlan) -> tuple[Alarm, ...]:
    """Return the alarms of a run; none if nobody is told."""
    if plan.alarms is None:
        return ()
    return (
        *([_no_replica(plan)] if plan.most else []),
        _errors(plan),
        *([_slow(plan)] if plan.model is not None else []),
        _full(plan),
        *_over_budget(plan.alarms, service_spending(plan), plan.run),
    )


def gateway_alarms(plan: GatewayPlan) -> tuple[Alarm, ...]:
    """Return the alarms of a gateway; none if nobody is told. Errors of its runs are alarms of the runs."""
    if plan.alarms is None:
        return ()
    failed = "(FILL(errors, 0) + FILL(throttles, 0))"
    of_all = f"100 * {failed} / (FILL(calls, 0) + FILL(throttles, 0))"
    function = Alarm(
        name="errors",
        says=f"The function of the gateway {plan.name} fails, or AWS refuses to run it as often as it is called: at "
        f"least {FEWEST_ERRORS} requests and {ERROR_PERCENT} % of all in 5 minutes, twice in a row. Run make status "
        "and make logs.",
        metrics=(
            of_function("errors", "Errors", "Sum"),
            of_function("throttles", "Throttles", "Sum"),
            of_function("calls", "Invocations", "Sum"),
        ),
        expression=f"IF({failed} >= {FEWEST_ERRORS}, {of_all}, 0)",
        threshold=ERROR_PERCENT,
        period=FIVE_MINUTES,
        periods=2,
    )
    return (function, *_over_budget(plan.alarms, gateway_spending(plan), f"the gateway {plan.name}"))


def alarm_notes(alarms: AlarmPlan | None, at_rest: float) -> list[str]:
    """Return notes on alarms. `at_rest`: what the stack costs in a month without a request, and outside of a schedule,
    as the alarm on the budget counts."""
    if alarms is None:
        return []
    notes: list[str] = []
    if alarms.email is not None:
        notes.append(
            f"alarm_email is {alarms.email}: AWS sends it a mail with a link. Alarms reach nobody until someone opens "
            "that link."
        )
    if alarms.budget is not None and at_rest > alarms.budget:
        notes.append(
            f"budget is ${number(alarms.budget)}, but the stack costs ${at_rest:,.2f} a month without a single "
            "request: the alarm is always on."
        )
    return notes


def _no_replica(plan: ServicePlan) -> Alarm:
    """A machine that ends is replaced, and its successor can take as long to serve as a roll gives a new replica. A
    replica that a request starts has only boot_timeout: then scaling takes it away, and the group wants none
    (infra/components/scaling.py). Callers of a run that always runs get errors, which tell sooner."""
    given = plan.roll.warmup if plan.fewest else plan.boot_timeout
    wanted = [
        of_group("wanted", "GroupDesiredCapacity", "Average", number=number) for number in range(len(plan.groups))
    ]
    periods = min(LONGEST, math.ceil(given / MINUTE))
    # Without a replica, the load balancer has no value. The group always has one, also if it wants no replica.
    told = " + ".join([*(metric.id for metric in wanted), *(["1"] if plan.always else [])])
    return Alarm(
        name="no-replica",
        says=f"{plan.run} has had no healthy replica for {periods} minutes. Run make status and make logs.",
        metrics=(
            of_targets("healthy", "HealthyHostCount", "Maximum"),
            *wanted,
        ),
        expression=f"IF(FILL(healthy, 0) < 1, {told}, 0)",
        threshold=1,
        period=MINUTE,
        periods=periods,
    )


def _errors(plan: ServicePlan) -> Alarm:
    """While a run that does not always run has no healthy replica, its callers get errors that mean no fault."""
    awake = "" if plan.always else "FILL(healthy, 0) > 0 AND "
    return Alarm(
        name="errors",
        says=f"{plan.run} answers with errors: at least {FEWEST_ERRORS} requests and {ERROR_PERCENT} % of all in 5 "
        "minutes, twice in a row. Run make status and make logs.",
        metrics=(
            of_run("errors", "Errors", "Sum"),
            of_run("requests", "Requests", "Sum"),
            *([of_targets("healthy", "HealthyHostCount", "Maximum")] if awake else []),
        ),
        expression=f"IF({awake}errors >= {FEWEST_ERRORS}, 100 * errors / requests, 0)",
        threshold=ERROR_PERCENT,
        period=FIVE_MINUTES,
        periods=2,
    )


def _slow(plan: ServicePlan) -> Alarm:
    return Alarm(
        name="slow",
        says=f"Streams of {plan.run} begin late: for 15 minutes, one in twenty waited {SLOW // 1000} seconds or more "
        "for its first token. More replicas or shorter prompts help; make status shows the queue.",
        metrics=(of_run("first", "TimeToFirstToken", "p95"),),
        threshold=SLOW,
        period=FIVE_MINUTES,
        periods=3,
    )


def _full(plan: ServicePlan) -> Alarm:
    return Alarm(
        name="gpu-memory",
        says=f"A GPU of {plan.run} has had {FULL} % or more of its memory in use for 15 minutes. The next request can "
        "end in an out-of-memory error: give the model server less memory, or the run larger GPUs.",
        metrics=(of_run("memory", "GpuMemory", "Maximum"),),
        threshold=FULL,
        period=FIVE_MINUTES,
        periods=3,
    )


def _over_budget(alarms: AlarmPlan, spent: Spending, who: str) -> list[Alarm]:
    """The last 24 hours against a day's part of the budget."""
    if alarms.budget is None:
        return []
    a_day = alarms.budget * 24 / HOURS
    return [
        Alarm(
            name="budget",
            says=f"In the last 24 hours, {who} cost more than ${a_day:,.2f} at list price, which is one day's part of "
            f"its budget of ${number(alarms.budget)} a month. Run make status.",
            metrics=spent.metrics,
            expression=spent.expression(str(DAY)),
            comparison="GreaterThanThreshold",
            threshold=round(a_day, 6),
            period=DAY,
            periods=1,
        )
    ]
