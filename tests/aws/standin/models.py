"""What botocore's own model of an API call says of a value: enums, patterns, lengths, ranges (`calls.csv`).

`calls.csv` maps a property to the member of the call that the provider makes with it. botocore checks types and
minima itself before it sends; the rest stands in the same model, and AWS checks it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import botocore.session

from tests.aws.standin.paths import values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.tables import by_type

_STEP = re.compile(r"(\[\]|\{\}|\{key\})")
_CLASSES: Mapping[str, str] = {"L": "a-zA-Z\\u00C0-\\uFFFF", "Z": " \\u00A0\\u2000-\\u200A\\u3000", "N": "0-9"}
"""Python's `re` has no `\\p{L}`; these stand for the Unicode classes that AWS uses in tags."""


def problems_with(token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    for row in by_type("calls").get(token, ()):
        shape = member(row["call"], row["member"])
        for where, value in values_at(inputs, row["property"]):
            if (reason := _against(shape, value)) is not None:
                yield Problem(where, f"{row['call'].partition(':')[2]} {row['member']}: {reason}")


@functools.cache
def member(call: str, path: str) -> Any:
    """The shape of `path` (`Matcher.HttpCode`, `Tags[].Key`, `Variables{key}`) in the input of `service:Operation`."""
    service, _, operation = call.partition(":")
    shape: Any = _session().get_service_model(service).operation_model(operation).input_shape
    for step in (step for part in path.split(".") for step in _STEP.split(part) if step):
        if step == "[]":
            shape = shape.member
        elif step == "{}":
            shape = shape.value
        elif step == "{key}":
            shape = shape.key
        else:
            shape = shape.members[step]
    return shape


@functools.cache
def _session() -> Any:
    return cast(Any, botocore.session).get_session()


def _against(shape: Any, value: Any) -> str | None:
    """Why AWS would refuse `value`, or `None`. A number may come as a string, where the provider has it so."""
    rules = shape.metadata
    if shape.type_name in ("integer", "long", "double", "float"):
        number = _number(value)
        if number is None:
            return f"{value!r} is not a number"
        return _range(number, rules.get("min"), rules.get("max"), str(value))
    if not isinstance(value, str):
        return None
    if (allowed := rules.get("enum")) and value not in allowed:
        return f"value {value!r} failed to satisfy constraint: Member must satisfy enum value set: {allowed}"
    if (too := _range(len(value), rules.get("min"), rules.get("max"), f"length of {value[:60]!r}")) is not None:
        return too
    if (pattern := rules.get("pattern")) and not compiled(pattern).fullmatch(value):
        return f"value {value[:60]!r} failed to satisfy constraint: regular expression pattern: {pattern}"
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _range(size: float, least: float | None, most: float | None, of: str) -> str | None:
    if least is not None and size < least:
        return f"{of} ({size:g}) is below the minimum of {least}"
    if most is not None and size > most:
        return f"{of} ({size:g}) is above the maximum of {most}"
    return None


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the model, which is in Java's dialect; one that Python cannot read lets everything pass."""
    python = re.sub(r"\\p\{(?:Is)?([LZN])\}", lambda found: _CLASSES[found[1]], pattern)
    python = python.replace("\\uD800\\uDC00-\\uDBFF\\uDFFF", "\\U00010000-\\U0010FFFF")
    try:
        return re.compile(python, re.DOTALL)
    except re.error:
        return re.compile(".*", re.DOTALL)
