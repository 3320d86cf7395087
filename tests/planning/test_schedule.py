"""Schedules: dstack's expressions as AWS reads them, and the ends that max_duration gives them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.planning import PlanError, ServicePlan
from infra.planning.running import Schedule

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nimage: i\nport: 80\n"


@pytest.mark.parametrize(
    ("cron", "starts"),
    [
        ("0 8 * * mon-fri", ("0 8 * * 1,2,3,4,5",)),
        ("0 8 * * 0", ("0 8 * * 1",)),
        ("0 8 * * 6", ("0 8 * * 0",)),
        ("*/30 8-12/2 1,15 Jan,jul-aug *", ("0,30 8,10,12 1,15 1,7,8 *",)),
        ("5/20 * * * *", ("5,25,45 * * * *",)),
        ("* 0-23 1-31 */1 mon-sun", ("* * * * *",)),
    ],
)
def test_the_week_begins_on_monday_for_dstack_and_on_sunday_for_aws(
    plan: Plan, cron: str, starts: tuple[str, ...]
) -> None:
    assert plan(f"{SERVICE}schedule: {{cron: '{cron}'}}\n").schedule == Schedule(starts=starts, ends=())


@pytest.mark.parametrize(
    ("crons", "duration", "ends"),
    [
        ("['0 8 * * mon-fri']", "10h", ("0 18 * * 1,2,3,4,5",)),
        ("['0 8 * * mon-fri']", "20h", ("0 4 * * 2,3,4,5,6",)),
        ("['30 22 * * sun']", "90m", ("0 0 * * 1",)),
        ("['0 8,20 * * *']", "1h", ("0 9,21 * * *",)),
        ("['0 8 * * mon', '0 9 * * tue']", "1h", ("0 9 * * 1", "0 10 * * 2")),
        ("['0 8 * * mon']", "6d", ("0 8 * * 0",)),
        ("['0 8 * * *']", "61", ("2 8 * * *",)),
    ],
)
def test_each_start_ends_after_the_longest_duration(
    plan: Plan, crons: str, duration: str, ends: tuple[str, ...]
) -> None:
    made = plan(f"{SERVICE}schedule: {{cron: {crons}}}\nmax_duration: {duration}\n").schedule
    assert made is not None
    assert made.ends == ends


@pytest.mark.parametrize(
    ("schedule", "where", "rule"),
    [
        (
            "schedule: {cron: '0 8,12 * * *'}\nmax_duration: 4h",
            "max_duration",
            "max_duration must be shorter than the time from one start to the next, which is 240m",
        ),
        (
            "schedule: {cron: '0 8 * * *'}\nmax_duration: 0",
            "max_duration",
            "max_duration must be shorter than the time from one start to the next, which is 1440m",
        ),
        (
            "schedule: {cron: '0 8 1 * *'}\nmax_duration: 4h",
            "max_duration",
            "max_duration works only with a schedule that is the same in every week",
        ),
        (
            "schedule: {cron: '1-59/1 1-22 1-30 * *'}",
            "schedule",
            "a group has at most 125 times, each of at most 255 characters",
        ),
    ],
)
def test_a_schedule_that_aws_cannot_keep_is_refused(plan: Plan, schedule: str, where: str, rule: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(f"{SERVICE}{schedule}\n")
    assert [(problem.where, problem.rule) for problem in caught.value.problems] == [(where, rule)]


def test_pulumi_up_does_not_wait_for_a_schedule_and_the_plan_says_so(plan: Plan) -> None:
    made = plan(f"{SERVICE}schedule: {{cron: '0 8 * * mon-fri'}}\n")
    assert (made.waits, made.replicas.minimum) == (False, 1)
    assert made.notes[-1] == (
        "schedule: the service starts at 0 8 * * mon-fri (UTC), not with pulumi up, which does not wait for it. Until "
        "then it has no replicas, requests do not start one, and the gateway answers them with 503. Then it runs until "
        "you destroy the stack."
    )
    ending = plan(f"{SERVICE}schedule: {{cron: '0 8 * * mon-fri'}}\nmax_duration: 10h\n")
    assert ending.notes[-1].endswith("36000s after each start it ends; dstack counts only the time in which it serves.")
