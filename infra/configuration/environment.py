"""Read environment variables from dstack's list or map into one ordered mapping. Problems never contain a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from infra.configuration.problem import HIDDEN
from infra.configuration.secret import Secret
from infra.configuration.section import detail, problem

Value = str | Secret | None
"""None means that the value comes from the user's environment or from stack config."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME_RULE = "a variable name must contain only letters, digits and _, and must not begin with a digit"
_CREDENTIAL_NAME = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS|AUTHORIZATION|COOKIE|APIKEY|(^|_)KEY)$", re.I)
_CREDENTIAL_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def read_environment(value: object) -> dict[str, Value]:
    """Return the variables by name, in the order of the configuration."""
    problems: list[InitErrorDetails] = []
    read: dict[str, Value] = {}
    if isinstance(value, Mapping):
        for name, item in cast(Mapping[object, object], value).items():
            _read_pair(str(name), item, read, problems)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(cast(list[object], value)):
            _read_entry(index, entry, read, problems)
    else:
        rule = "env must be a list of NAME=value and NAME, or a map"
        raise problem(rule, "write `- NAME=value` lines below it", found=HIDDEN)
    if problems:
        raise ValidationError.from_exception_data("env", problems)
    return read


def shown(name: str, value: Value) -> str | None:
    """Return the value for printing: `***` for a secret, and for a value that looks like a credential."""
    if value is None:
        return None
    looks_so = _CREDENTIAL_NAME.search(name.replace("-", "_")) or (
        isinstance(value, str) and _CREDENTIAL_URL.search(value)
    )
    return "***" if looks_so or isinstance(value, Secret) else value


def _read_pair(name: str, item: object, read: dict[str, Value], problems: list[InitErrorDetails]) -> None:
    if not _NAME.fullmatch(name):
        remedy = "write the name that the program in the container reads"
        problems.append(detail(name, problem(_NAME_RULE, remedy, found=HIDDEN)))
    elif isinstance(item, str | Secret):
        read[name] = item
    elif isinstance(item, int | float) and not isinstance(item, bool):
        read[name] = str(item)
    elif item is None:
        remedy = f"write a value, or make env a list, where `- {name}` takes the value from your environment"
        problems.append(detail(name, problem("a variable in a map must have a value", remedy, found="nothing")))
    elif isinstance(item, bool):
        rule = "a variable's value must be text, and YAML reads true, false, yes, no, on and off as booleans"
        problems.append(detail(name, problem(rule, "quote the value", found=HIDDEN)))
    else:
        rule = "a variable's value must be text"
        problems.append(detail(name, problem(rule, "write the value as one line of text, in quotes", found=HIDDEN)))


def _read_entry(index: int, entry: object, read: dict[str, Value], problems: list[InitErrorDetails]) -> None:
    if not isinstance(entry, str):
        remedy = "write `- NAME=value`"
        if isinstance(entry, Mapping):
            remedy += " with = instead of the colon, or remove the dashes to make env a map"
        error = problem("an entry of the env list must be NAME=value or NAME", remedy, found=HIDDEN)
        problems.append(detail(index, error))
        return
    name, equals, value = entry.partition("=")
    if not _NAME.fullmatch(name):
        remedy = "write NAME=value without spaces around ="
        problems.append(detail(index, problem(_NAME_RULE, remedy, found=HIDDEN)))
    elif name in read:
        problems.append(detail(index, problem("a variable must be set only once", "remove one of the two", found=name)))
    else:
        read[name] = value if equals else None


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


def _read_secrets(value: object) -> dict[str, Secret]:
    given = dict(cast(Mapping[str, object], value)) if isinstance(value, Mapping) else {}
    if missing := next((name for name, item in given.items() if item is None), None):
        raise problem("a secret must have a value", f"write {missing}=…", found=missing)
    read = read_environment(cast(object, value))
    return {name: item if isinstance(item, Secret) else Secret(str(item)) for name, item in read.items()}


SecretsByName = Annotated[
    Mapping[str, Secret],
    PlainValidator(_read_secrets),
    PlainSerializer(lambda value: dict.fromkeys(value, "***"), when_used="json"),
    WithJsonSchema(_SCHEMA),
]
