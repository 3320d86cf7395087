"""CloudWatch Logs Insights: what it answers to the few commands that `make usage` sends.

moto takes a query, but knows of its commands only `fields`, `sort` and `limit`, and no members of JSON lines. So the
query is evaluated here as AWS documents it (AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html). What this module does
not know, it refuses.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

Event = Mapping[str, Any]
"""The fields of a line."""
_TOKEN = re.compile(r'\s*("[^"]*"|[\w@.]+|[(),*])')


def evaluate(query: str, lines: Sequence[tuple[int, str]]) -> list[dict[str, str]]:
    """Return the rows of a query over lines, each by its fields.

    `lines`: time in milliseconds since 1970, and text. Raises NotImplementedError for what is not known here.
    """
    events: Sequence[Event] = [{"@timestamp": at, "@message": text, **_members(text)} for at, text in lines]
    for command in query.split("|"):
        name, _, rest = command.strip().partition(" ")
        match name:
            case "filter":
                events = [event for event in events if Expression(rest).value(event)]
            case "fields":
                events = [{**event, **dict(_computed(rest, event))} for event in events]
            case "stats":
                events = _stats(rest, events)
            case "sort":
                field, order = rest.split()
                _known(order == "desc", f"sort {order}")
                events = sorted(events, key=lambda event: event.get(field) or 0, reverse=True)
            case "limit":
                events = events[: int(rest)]
            case _:
                _known(False, f"the command {name}")
    return [{name: _text(value) for name, value in event.items() if value is not None} for event in events]


class Expression:
    """An expression: fields, texts, numbers, functions, `*` and `and`."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        _known("".join(self._tokens) == re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "", text), text)
        self._at = 0

    def value(self, event: Event) -> Any:
        self._at = 0
        found = self._and(event)
        _known(self._at == len(self._tokens), " ".join(self._tokens[self._at :]))
        return found

    def _and(self, event: Event) -> Any:
        found = self._product(event)
        while self._next("and"):
            other = self._product(event)
            found = found and other
        return found

    def _product(self, event: Event) -> Any:
        found = self._single(event)
        while self._next("*"):
            other = self._single(event)
            found = None if found is None or other is None else found * other
        return found

    def _single(self, event: Event) -> Any:
        token = self._tokens[self._at]
        self._at += 1
        if token.startswith('"'):
            return token[1:-1]
        if not self._next("("):
            return float(token) if re.fullmatch(r"[\d.]+", token) else event.get(token)
        arguments = [self._tokens[self._at] if token in ("ispresent", "bin") else None, self._and(event)]
        while self._next(","):
            arguments.append(self._and(event))
        _known(self._next(")") and token in _FUNCTIONS, f"the function {token}")
        return _FUNCTIONS[token](event, *arguments)

    def _next(self, token: str) -> bool:
        there = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += there
        return there


def _bin(event: Event, period: str, _: Any) -> str:
    _known(period == "1d", f"bin({period})")
    day = datetime.fromtimestamp(event["@timestamp"] / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{day:%Y-%m-%d %H:%M:%S}.000"


def _is_present(_: Event, __: str, value: Any) -> bool:
    return value is not None


def _concat(_: Event, __: None, *texts: str | None) -> str | None:
    return None if None in texts else "".join(map(str, texts))


def _contains(_: Event, __: None, text: str | None, part: str) -> int | None:
    return None if text is None else int(part in text)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "ispresent": _is_present,
    "concat": _concat,
    "strcontains": _contains,
    "bin": _bin,
}


def _stats(text: str, events: Sequence[Event]) -> list[Event]:
    wanted, _, by = text.rpartition(" by ")
    groups: dict[Any, list[Event]] = {}
    for event in events:
        groups.setdefault(Expression(by).value(event), []).append(event)
    aliases = list(_aliased(wanted))
    return [{by: group, **{name: _aggregate(text, found) for text, name in aliases}} for group, found in groups.items()]


def _aggregate(text: str, events: Sequence[Event]) -> float | None:
    matched = re.fullmatch(r"(sum|pct)\((.*?)(?:, (\d+))?\)", text)
    if matched is None:
        raise NotImplementedError(f"Insights: {text}")
    values = [value for event in events if (value := Expression(matched[2]).value(event)) is not None]
    if not values:
        return None
    if matched[1] == "sum":
        return math.fsum(values)
    below = math.ceil(len(values) * float(matched[3]) / 100)
    return sorted(values)[max(below, 1) - 1]


def _computed(text: str, event: Event) -> Iterator[tuple[str, Any]]:
    for expression, name in _aliased(text):
        yield name, Expression(expression).value(event)


def _aliased(text: str) -> Iterator[tuple[str, str]]:
    """Yield each expression and its name. Commas in parentheses do not separate."""
    depth, begin = 0, 0
    for at, character in enumerate(f"{text},"):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            expression, _, name = text[begin:at].strip().rpartition(" as ")
            yield expression, name
            begin = at + 1


def _members(text: str) -> Mapping[str, Any]:
    """The members of a line that is a JSON object, by their names."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and value.is_integer() and value < 1e6 else str(value)


def _known(condition: bool, what: str) -> None:
    if not condition:
        raise NotImplementedError(f"Insights: {what}")
