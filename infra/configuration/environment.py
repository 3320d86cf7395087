"""Environment variables: dstack's list and its map, one ordered mapping out. No value is ever part of a problem."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from infra.configuration.problem import HIDDEN
from infra.configuration.secret import Secret
from infra.configuration.section import problem

Value = str | Secret | None
"""None: the value comes from the caller's environment or from stack config."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME_RULE = "a variable's name has letters, digits and _, and begins with no digit"
_CREDENTIAL_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS|AUTHORIZATION|COOKIE|APIKEY|(^|_)KEY)$", re.I)
_CREDENTIAL_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def read_environment(value: object) -> dict[str, Value]:
    """Names to values, in the order they were written."""
    problems: list[InitErrorDetails] = []
    read: dict[str, Value] = {}
    if isinstance(value, Mapping):
        for name, item in cast(Mapping[object, object], value).items():
            _read_pair(str(name), item, read, problems)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(cast(list[object], value)):
            _read_entry(index, entry, read, problems)
    else:
        raise problem("env is a list of NAME=value and NAME, or a map", "write `- NAME=value` below it", found=HIDDEN)
    if problems:
        raise ValidationError.from_exception_data("env", problems)
    return read


def shown(name: str, value: Value) -> str | None:
    """The value as it may be printed: `***` for a secret, and for what looks like a credential."""
    if value is None:
        return None
    looks_so = _CREDENTIAL_NAME.search(name.replace("-", "_")) or (
        isinstance(value, str) and _CREDENTIAL_URL.search(value)
    )
    return "***" if looks_so or isinstance(value, Secret) else value


def _read_pair(name: str, item: object, read: dict[str, Value], problems: list[InitErrorDetails]) -> None:
    if not _NAME.fullmatch(name):
        problems.append(_detail(name, problem(_NAME_RULE, "write the name as the program reads it", found=HIDDEN)))
    elif isinstance(item, str | Secret):
        read[name] = item.replace("$${{", "${{") if isinstance(item, str) else item
    elif isinstance(item, int | float) and not isinstance(item, bool):
        read[name] = str(item)
    elif item is None:
        remedy = f"give it a value, or use the list form, where `- {name}` takes it from your environment"
        problems.append(_detail(name, problem("a variable in a map has a value", remedy, found="nothing")))
    elif isinstance(item, bool):
        rule = "a variable's value is text, and YAML reads true, false, yes, no, on and off as a boolean"
        problems.append(_detail(name, problem(rule, "quote the value", found=HIDDEN)))
    else:
        rule = "a variable's value is text"
        problems.append(_detail(name, problem(rule, "write the value on one line, in quotes if need be", found=HIDDEN)))


def _read_entry(index: int, entry: object, read: dict[str, Value], problems: list[InitErrorDetails]) -> None:
    if not isinstance(entry, str):
        remedy = "write `- NAME=value`"
        if isinstance(entry, Mapping):
            remedy += ", with = in place of the colon, or make env a map by removing the dashes"
        error = problem("an entry of env's list is NAME=value or NAME", remedy, found=HIDDEN)
        problems.append(_detail(index, error))
        return
    name, equals, value = entry.partition("=")
    if not _NAME.fullmatch(name):
        remedy = "write NAME=value, without spaces around the ="
        problems.append(_detail(index, problem(_NAME_RULE, remedy, found=HIDDEN)))
    elif name in read:
        problems.append(_detail(index, problem("a variable is set once", "remove one of the two", found=name)))
    else:
        read[name] = value.replace("$${{", "${{") if equals else None


def _detail(key: str | int, error: PydanticCustomError) -> InitErrorDetails:
    return {"type": error, "loc": (key,), "input": None}


def _serialize(value: Mapping[str, Value]) -> dict[str, str | None]:
    return {name: shown(name, item) for name, item in value.items()}


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*(=[\\s\\S]*)?$"}},
        {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": {"type": ["string", "number"]},
        },
    ]
}

Environment = Annotated[
    Mapping[str, Value],
    PlainValidator(read_environment),
    PlainSerializer(_serialize, when_used="json"),
    WithJsonSchema(_SCHEMA),
]
