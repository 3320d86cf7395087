"""`schedule`: the times at which a service starts, as cron expressions in UTC.

dstack reads them with APScheduler 3: the days of the week count from Monday, 0, and a time matches only if all five
fields match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from infra.configuration.section import Section, problem

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EXAMPLE = 'write an expression such as "0 8 * * mon-fri": minute, hour, day of the month, month, day of the week'
_PART = re.compile(r"(?:\*|(?P<first>\d+|[a-z]+)(?:-(?P<last>\d+|[a-z]+))?)(?:/(?P<step>[1-9]\d*))?", re.ASCII)


@dataclass(frozen=True)
class _Range:
    """The values of a field of an expression."""

    what: str
    low: int
    high: int
    names: Sequence[str] = ()


_FIELDS = (
    _Range("minute", 0, 59),
    _Range("hour", 0, 23),
    _Range("day of the month", 1, 31),
    _Range("month", 1, 12, _MONTHS),
    _Range("day of the week", 0, 6, DAYS),
)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """The times of one expression: for each field, the values that match. `weekdays` counts from Monday, 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def every_week(self) -> bool:
        """Whether every week has the same times."""
        return len(self.days) == 31 and len(self.months) == 12


def read_cron(text: str) -> Cron:
    """Return the times of an expression. Raises `PydanticCustomError` with the rule that it breaks."""
    words = text.split()
    if len(words) != len(_FIELDS):
        raise problem("a cron expression must have five fields with spaces between them", _EXAMPLE)
    values = [_values(word.lower(), of) for word, of in zip(words, _FIELDS, strict=True)]
    cron = Cron(minutes=values[0], hours=values[1], days=values[2], months=values[3], weekdays=values[4])
    if len(cron.days) < 31 and len(cron.weekdays) < 7:
        rule = "a cron expression must not limit the day of the month and the day of the week together"
        raise problem(
            rule, "write * for one of them: AWS starts the service when either matches, and dstack when both do"
        )
    return cron


def _values(word: str, of: _Range) -> tuple[int, ...]:
    found: set[int] = set()
    for part in word.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            rule = f"the {of.what} must be *, a value or a range, each with a step if you want: */15"
            raise problem(rule, _EXAMPLE, found=part)
        first, last = of.low, of.high
        if match["first"]:
            first = _number(match["first"], of)
            if match["last"] or not match["step"]:
                last = _number(match["last"] or match["first"], of)
        if first > last:
            raise problem(
                f"the first {of.what} of a range must not be after the last", "write two ranges, with a comma"
            )
        found.update(range(first, last + 1, int(match["step"] or 1)))
    return tuple(sorted(found))


def _number(text: str, of: _Range) -> int:
    number = of.names.index(text) + of.low if text in of.names else int(text) if text.isdigit() else -1
    if not of.low <= number <= of.high:
        limits = f"{of.low} to {of.high}" + (f", or {of.names[0]} to {of.names[-1]}" if of.names else "")
        raise problem(f"the {of.what} must be from {limits}", _EXAMPLE)
    return number


def _are_expressions(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        read_cron(text)
    return value


_CRON_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}

Crons = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
    AfterValidator(_are_expressions),
    WithJsonSchema(_CRON_SCHEMA),
]


class Schedule(Section, frozen=True):
    """When a service starts."""

    cron: Crons = Field(
        description='The times in UTC: "0 8 * * mon-fri", or a list. As in dstack, 0 is Monday', examples=["0 8 * * *"]
    )
