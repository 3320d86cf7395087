"""The times of a scheduled action: five fields of cron, as Auto Scaling reads them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moto.autoscaling.exceptions import ValidationError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 7, _DAYS))
"""Least, most and names. The week begins with Sunday, 0, which is also 7."""
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?", re.ASCII)
_YEARS = 4 * 366 + 1
"""Days within which every date comes."""


def after(recurrence: str, time_zone: str | None, now: float) -> float | None:
    """Return the first moment after `now`, in seconds since 1970; `None`: it never comes. Raises AWS's error."""
    words = recurrence.split()
    try:
        zone = ZoneInfo(time_zone or "UTC")
        minutes, hours, days, months, weekdays = map(_values, words, range(len(_FIELDS)))
    except (ValueError, IndexError, ZoneInfoNotFoundError):
        raise ValidationError(f"Given recurrence string: {recurrence} is invalid") from None
    either = "*" not in (words[2], words[4])
    day = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(_YEARS):
        by_day, by_week = day.day in days, (day.weekday() + 1) % 7 in {one % 7 for one in weekdays}
        if day.month in months and (by_day or by_week if either else by_day and by_week):
            times = (day.replace(hour=hour, minute=minute).timestamp() for hour in hours for minute in minutes)
            later = [time for time in times if time > now]
            if later:
                return min(later)
        day = (day + timedelta(days=1)).replace(tzinfo=zone)
    return None


def _values(word: str, field: int) -> list[int]:
    least, most, names = _FIELDS[field]
    found: set[int] = set()
    for part in word.lower().split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(part)
        first, last = least, most
        if match[2]:
            first = _number(match[2], least, names)
            last = _number(match[3], least, names) if match[3] else most if match[4] else first
        if not least <= first <= last <= most:
            raise ValueError(part)
        found.update(range(first, last + 1, int(match[4] or 1)))
    return sorted(found)


def _number(text: str, least: int, names: tuple[str, ...]) -> int:
    return names.index(text) + least if text in names else int(text)
