"""Tags of AWS resources. dstack's rules apply, which are stricter than the rules of AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from infra.configuration.section import problem

MOST_TAGS = 40
"""AWS allows 50 tags per resource, and the components add some of their own."""

_KEY = re.compile(r"[_\-a-zA-Z0-9]{1,60}")
_VALUE = re.compile(r"[a-zA-Z0-9 .:/=_\-+@]{0,256}")


def read_tags(value: object) -> dict[str, str]:
    """Return the tags by key."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise problem("tags must be a map", "write `key: value` lines below it")
    given = cast(Mapping[object, object], value)
    if len(given) > MOST_TAGS:
        raise problem(f"there can be at most {MOST_TAGS} tags", "remove some tags", found=f"{len(given)} tags")
    names = [str(key).lower() for key in given]
    if twice := [str(key) for key in given if names.count(str(key).lower()) > 1]:
        # IAM's reference (CreateRole, Tags): keys of a role's tags differ in more than case.
        rule = "tag keys must differ in more than upper and lower case"
        raise problem(rule, "rename one of them", found=", ".join(twice)[:80])
    read: dict[str, str] = {}
    problems: list[InitErrorDetails] = []
    for key, item in given.items():
        error = _problem(str(key), item)
        if error is None:
            read[str(key)] = str(item)
        else:
            problems.append({"type": error, "loc": (str(key),), "input": None})
    if problems:
        raise ValidationError.from_exception_data("tags", problems)
    return read


def _problem(key: str, value: object) -> PydanticCustomError | None:
    if not _KEY.fullmatch(key):
        return problem("a tag key must have 1 to 60 letters, digits, _ and -", "choose another key")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return problem("a tag value must be text", "quote it")
    if not _VALUE.fullmatch(str(value)):
        rule = "a tag value must have at most 256 letters, digits, spaces and . : / = _ - + @"
        return problem(rule, "choose another value")
    return None


_SCHEMA: dict[str, Any] = {
    "type": ["object", "null"],
    "maxProperties": MOST_TAGS,
    "propertyNames": {"pattern": "^[_\\-a-zA-Z0-9]{1,60}$"},
    "additionalProperties": {"type": ["string", "number"]},
}

Tags = Annotated[Mapping[str, str], PlainValidator(read_tags), WithJsonSchema(_SCHEMA)]
