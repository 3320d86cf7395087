"""What is known about single properties beyond botocore's model, and about some of them together.

`provider.csv` has the rules of the AWS provider, as it states them when it refuses a value. `limits.csv` has what AWS
documents and the provider does not check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.aws.standin.paths import given, value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.tables import by_type

_ARN = re.compile(
    r"|arn:aws(-[a-z]+)*:[^:]+:([a-z]{2}(-[a-z]+)+-\d+)?"
    r":(aws|aws-managed|third-party|aws-marketplace|\d{12}|cw.{10})?:.+"
)
"""internal/verify/validate.go: ValidARN. Nothing counts as not set."""


def problems_with(token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    for row in (*by_type("limits").get(token, ()), *by_type("provider").get(token, ())):
        path, rule, argument = row["property"], row["rule"], row["argument"]
        if rule in _TOGETHER:
            yield from _together(inputs, path, rule, argument.split())
            continue
        for where, value in values_at(inputs, path):
            if (reason := _RULES[rule](value, argument)) is not None:
                yield Problem(where, f"{reason} ({row['source']})")


def _together(inputs: Mapping[str, Any], path: str, rule: str, others: Sequence[str]) -> Iterator[Problem]:
    """Properties that exclude or need each other, in each object that they are in."""
    around = path.split(".")[:-1]
    while around and not all(one.startswith(".".join(around) + ".") for one in others):
        around.pop()
    objects = values_at(inputs, ".".join(around)) if around else [("", inputs)]
    beneath = len(".".join(around)) + 1 if around else 0
    own, rest = path[beneath:], [one[beneath:] for one in others]
    for where, value in objects:
        there = [one for one in rest if given(value, one) and value_at(value, one) != []]
        at = f"{where}.{own}" if where else own
        if rule == "not with" and given(value, own) and there:
            yield Problem(at, f"conflicts with {there[0]}")
        if rule == "needs" and given(value, own) and len(there) < len(rest):
            yield Problem(at, f"all of `{','.join((own, *rest))}` must be specified")
        if rule == "some of" and (not given(value, own) or value_at(value, own) == []) and not there:
            yield Problem(at, f"one of `{','.join((own, *rest))}` must be specified")


def _length(value: Any, argument: str) -> str | None:
    return None if _within(len(value), argument) else f"has length {len(value)}, allowed are {_words(argument)}"


def _range(value: Any, argument: str) -> str | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return f"{value!r} is not a number"
    fits = any(_within(number, one) for one in argument.split("|"))
    return None if fits else f"{value} is not in the range of {_words(argument)}"


def _within(number: float, argument: str) -> bool:
    """`1..5`; an end that is missing is open."""
    least, _, most = argument.partition("..")
    return (not least or float(least) <= number) and (not most or number <= float(most))


def _words(argument: str) -> str:
    return argument.replace("|", " or ").replace("..", " to ").strip()


def _bytes(value: Any, argument: str) -> str | None:
    size = len(str(value).encode())
    return None if size <= int(argument) else f"has {size} bytes, allowed are {argument}"


def _count(value: Any, argument: str) -> str | None:
    return None if len(value) <= int(argument) else f"has {len(value)} items, allowed are {argument}"


def _matches(value: Any, argument: str) -> str | None:
    return None if re.fullmatch(argument, str(value)) else f"{str(value)[:80]!r} does not match {argument}"


def _one_of(value: Any, argument: str) -> str | None:
    return None if str(value) in argument.split() else f"expected one of {argument.split()}, got {value!r}"


def _items(value: Any, argument: str) -> str | None:
    return None if _within(len(value), argument) else f"has {len(value)} items, allowed are {_words(argument)}"


def _arn(value: Any, _: str) -> str | None:
    return None if _ARN.fullmatch(str(value)) else f"{str(value)[:80]!r} is an invalid ARN"


def _json(value: Any, _: str) -> str | None:
    if value == "":
        return None
    try:
        read = json.loads(str(value))
    except ValueError as error:
        return f"contains an invalid JSON: {error}"
    return None if isinstance(read, dict) else "contains an invalid JSON policy: not a JSON object"


def _never(_: Any, __: str) -> str | None:
    return "its value is decided by AWS, and cannot be set"


_TOGETHER = ("not with", "needs", "some of")
_RULES: Mapping[str, Callable[[Any, str], str | None]] = {
    "length": _length,
    "range": _range,
    "bytes": _bytes,
    "count": _count,
    "matches": _matches,
    "one of": _one_of,
    "arn": _arn,
    "json": _json,
    "items": _items,
    "never": _never,
}
