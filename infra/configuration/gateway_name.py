"""`gateway` of a service: the stack of the gateway that callers reach the service through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, WithJsonSchema

from infra.configuration.names import STACK
from infra.configuration.section import problem

_RULE = "`gateway` must be the name of the gateway's stack"
_REMEDY = "write `gateway: NAME`, or remove the key to use the stack named gateway"


def _read(value: object) -> object:
    """Read a name, dstack's map with a name, true for the default, or false for dstack's own server."""
    if isinstance(value, Mapping):
        given = cast(Mapping[str, object], value)
        if given.get("project") is not None or not given.keys() <= {"project", "name"}:
            raise problem(_RULE, _REMEDY)
        value = given.get("name", "")
    if isinstance(value, str) and "/" in value:
        raise problem(_RULE + ", not project/name", _REMEDY)
    if isinstance(value, str) and not re.fullmatch(STACK, value):
        raise problem(_RULE + ": at most 100 letters, digits, -, _ and .", _REMEDY)
    return None if value is True else value


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": f"^{STACK}$"},
        {"type": "boolean"},
        {
            "type": "object",
            "properties": {"name": {"type": "string", "pattern": f"^{STACK}$"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ]
}

GatewayName = Annotated[str | Literal[False] | None, BeforeValidator(_read), WithJsonSchema(_SCHEMA)]
"""None: the stack named gateway. False: the same one, for a service that has no gateway in dstack."""
