"""What AWS or the provider documents about single properties beyond botocore's model (`limits.csv`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import given, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.tables import by_type


def problems_with(token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    for row in by_type("limits").get(token, ()):
        path, rule, argument = row["property"], row["rule"], row["argument"]
        if rule == "not with":
            if given(inputs, path) and given(inputs, argument):
                yield Problem(path, f"conflicts with {argument}")
        elif rule == "needs":
            if given(inputs, path) and not given(inputs, argument):
                yield Problem(path, f"all of `{path},{argument}` must be specified")
        elif rule == "some of":
            if not any(given(inputs, one) for one in (path, *argument.split())):
                yield Problem(path, f"one of `{','.join((path, *argument.split()))}` must be specified")
        else:
            for where, value in values_at(inputs, path):
                if (reason := _RULES[rule](value, argument)) is not None:
                    yield Problem(where, f"{reason} ({row['source']})")


def _length(value: Any, argument: str) -> str | None:
    least, most = map(int, argument.split(".."))
    return None if least <= len(value) <= most else f"has length {len(value)}, allowed are {least} to {most}"


def _range(value: Any, argument: str) -> str | None:
    least, most = map(int, argument.split(".."))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return f"{value!r} is not a number"
    return None if least <= number <= most else f"{value} is not in the range of {least} to {most}"


def _bytes(value: Any, argument: str) -> str | None:
    size = len(str(value).encode())
    return None if size <= int(argument) else f"has {size} bytes, allowed are {argument}"


def _count(value: Any, argument: str) -> str | None:
    return None if len(value) <= int(argument) else f"has {len(value)} items, allowed are {argument}"


def _matches(value: Any, argument: str) -> str | None:
    return None if re.fullmatch(argument, str(value)) else f"{str(value)[:80]!r} does not match {argument}"


def _one_of(value: Any, argument: str) -> str | None:
    return None if str(value) in argument.split() else f"expected one of {argument.split()}, got {value!r}"


_RULES: Mapping[str, Callable[[Any, str], str | None]] = {
    "length": _length,
    "range": _range,
    "bytes": _bytes,
    "count": _count,
    "matches": _matches,
    "one of": _one_of,
}
