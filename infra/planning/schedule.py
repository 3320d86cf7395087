"""The schedule of a service: when its Auto Scaling group gets its replicas, and when it goes back to none.

As in dstack, a schedule only starts a service. With `max_duration` each start also has an end; without it the service
runs on, and later starts change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from infra.configuration import Problem, ServiceConfiguration
from infra.configuration.schedule import DAYS, Cron, read_cron
from infra.planning.running import Schedule

MOST_ACTIONS = 125
"""The most scheduled actions of a group (EC2 Auto Scaling user guide, "Quotas")."""
LONGEST_RECURRENCE = 255
"""Characters of a recurrence (Auto Scaling API: PutScheduledUpdateGroupAction)."""
_DAY = 24 * 60
_WEEK = 7 * _DAY

_Moment = tuple[int, int]
"""A minute and an hour."""


def plan_schedule(configuration: ServiceConfiguration, problems: list[Problem]) -> Schedule | None:
    """Return the times at which a service starts and ends, as AWS writes them; `None`: it always runs."""
    if configuration.schedule is None:
        return None
    crons = [read_cron(text) for text in configuration.schedule.cron]
    starts = tuple(dict.fromkeys(map(_written, crons)))
    ends = _ends(configuration, crons, problems)
    if len(starts) + len(ends) > MOST_ACTIONS or any(len(text) > LONGEST_RECURRENCE for text in (*starts, *ends)):
        rule = f"a group has at most {MOST_ACTIONS} times, each of at most {LONGEST_RECURRENCE} characters"
        problems.append(_problem(configuration, "schedule", rule, "write fewer times"))
    return Schedule(starts=starts, ends=ends)


def schedule_notes(schedule: Schedule | None, configuration: ServiceConfiguration) -> list[str]:
    """Return notes on when the service runs."""
    if schedule is None or configuration.schedule is None:
        return []
    written = ", ".join(configuration.schedule.cron)
    ends = "Then it runs until you destroy the stack."
    if configuration.max_duration is not None:
        ends = (
            f"{configuration.max_duration}s after each start it ends; dstack counts only the time in which it serves."
        )
    return [
        f"schedule: the service starts at {written} (UTC), not with pulumi up, which does not wait for it. Until then "
        f"it has no replicas, requests do not start one, and the gateway answers them with 503. {ends}"
    ]


def _ends(configuration: ServiceConfiguration, crons: Sequence[Cron], problems: list[Problem]) -> tuple[str, ...]:
    if configuration.max_duration is None:
        return ()
    minutes = -(-configuration.max_duration // 60)
    if not all(cron.every_week for cron in crons):
        rule = "max_duration works only with a schedule that is the same in every week"
        remedy = "write * for the day of the month and for the month, or remove max_duration"
        problems.append(_problem(configuration, "max_duration", rule, remedy))
        return ()
    times = sorted({time for cron in crons for time in _in_week(cron)})
    pause = min(later - earlier for earlier, later in pairwise([*times, times[0] + _WEEK]))
    if not 0 < minutes < pause:
        rule = f"max_duration must be shorter than the time from one start to the next, which is {pause}m"
        problems.append(_problem(configuration, "max_duration", rule, "write a shorter duration, or fewer starts"))
        return ()
    return tuple(_together((time + minutes) % _WEEK for time in times))


def _in_week(cron: Cron) -> Iterable[int]:
    """Return the times of a cron in minutes since Monday, 0:00."""
    return (day * _DAY + hour * 60 + minute for day in cron.weekdays for hour in cron.hours for minute in cron.minutes)


def _together(times: Iterable[int]) -> list[str]:
    """Return expressions for times of a week, one for those with the same minute on the same days."""
    by_moment: dict[_Moment, list[int]] = {}
    for time in sorted(times):
        day, rest = divmod(time, _DAY)
        by_moment.setdefault((rest % 60, rest // 60), []).append(day)

    def same(item: tuple[_Moment, list[int]]) -> tuple[int, list[int]]:
        return item[0][0], item[1]

    return [
        _written(
            Cron(
                minutes=(minute,),
                hours=tuple(sorted(hour for (_, hour), _ in group)),
                days=tuple(range(1, 32)),
                months=tuple(range(1, 13)),
                weekdays=tuple(days),
            )
        )
        for (minute, days), group in groupby(sorted(by_moment.items(), key=same), key=same)
    ]


def _written(cron: Cron) -> str:
    """Return the expression as AWS reads it, whose week begins with Sunday, 0."""
    weekdays = sorted((day + 1) % len(DAYS) for day in cron.weekdays)
    fields = ((cron.minutes, 60), (cron.hours, 24), (cron.days, 31), (cron.months, 12), (weekdays, 7))
    return " ".join("*" if len(values) == all_ else ",".join(map(str, values)) for values, all_ in fields)


def _problem(configuration: ServiceConfiguration, key: str, rule: str, remedy: str) -> Problem:
    return Problem(where=key, line=configuration.source.line((key,)), rule=rule, remedy=remedy)
