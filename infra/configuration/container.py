"""The keys of a service that describe its container: commands, port, user, image credentials, volumes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, cast

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema, field_validator
from pydantic_core import CoreSchema

from infra.configuration.secret import Secret
from infra.configuration.section import Refusal, Section, problem

_NETWORK_VOLUME = "network volumes are not supported: each replica is a new instance in any availability zone"
_INSTANCE_PATH = "use a folder of the instance: `- /data:/data`"


class RegistryAuth(Section, frozen=True):
    """Credentials for a private image. Both values can contain references such as `${{ env.NAME }}`."""

    username: str = Field(min_length=1, description="The user name at the container registry", examples=["alice"])
    password: Secret = Field(
        description="The password or token of this user", examples=["${{ env.REGISTRY_PASSWORD }}"]
    )


class Volume(Section, frozen=True):
    """A folder of the instance that the container can use."""

    instance_path: str = Field(description="The folder on the instance", examples=["/data"])
    path: str = Field(description="The path of the folder in the container", examples=["/data"])
    optional: bool = Field(
        default=False, description="dstack's flag for backends without instance volumes. It has no effect on AWS"
    )

    refused: ClassVar[Mapping[str, Refusal]] = {"name": Refusal(_NETWORK_VOLUME, _INSTANCE_PATH)}

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `/data:/data`."""
        if isinstance(value, Mapping) and "name" in value:
            raise problem(_NETWORK_VOLUME, _INSTANCE_PATH, found="the name of a volume")
        if not isinstance(value, str):
            return cast(object, value)
        parts = value.split(":")
        if len(parts) != 2:
            raise problem("a volume must be two paths joined by a colon", _INSTANCE_PATH)
        if "/" not in parts[0]:
            raise problem(_NETWORK_VOLUME, _INSTANCE_PATH)
        return {"instance_path": parts[0], "path": parts[1]}

    @field_validator("instance_path", "path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not path.is_absolute() or ".." in path.parts:
            raise problem("a path must begin with / and must not contain ..", "write the full path")
        return str(path)

    @field_validator("path")
    @classmethod
    def _is_not_the_root(cls, value: str) -> str:
        if value == "/":
            raise problem(
                "a volume cannot replace the container's root folder", "write a folder below /, such as /data"
            )
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": "^[^:]*/[^:]*:/[^:]+$"}, handler(schema)]}


def _read_port(value: object) -> object:
    """Read `80`, `"8000:80"` and dstack's map. The number before the colon has no meaning for a service."""
    remedy = 'write the port that the container listens on: `port: 80`, or as in dstack `port: "8000:80"`'
    parts: list[object] = [value]
    if isinstance(value, str):
        parts = [*value.split(":")]
    elif isinstance(value, Mapping):
        given = cast(Mapping[str, object], value)
        if "container_port" not in given or not given.keys() <= {"local_port", "container_port"}:
            raise problem("a port map must have container_port, and can also have local_port", remedy)
        parts = [part for key in ("local_port", "container_port") if (part := given.get(key)) is not None]
    if len(parts) > 2 or not all(_is_port(part) for part in parts):
        raise problem("a port must be a whole number from 1 to 65535", remedy)
    return int(str(parts[-1]))


def _is_port(value: object) -> bool:
    whole = not isinstance(value, bool) and re.fullmatch(r"0*\d{1,5}", str(value), re.ASCII)
    return bool(whole) and 1 <= int(str(value)) <= 65535


def _split_entrypoint(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tuple(shlex.split(value))
    except ValueError:
        rule = "an entrypoint must be a command line that a shell can split into words"
        raise problem(rule, "close the quote, or remove the backslash at the end") from None


def _is_a_user(value: str) -> str:
    parts = value.split(":")
    if len(parts) > 2 or not all(re.fullmatch(r"(?!-\d+$)[^\s:]+", part) for part in parts):
        rule = "a user must be a name or an id, with an optional group after a colon"
        raise problem(rule, "write a user such as 1000:1000")
    return value


def _is_absolute(value: str) -> str:
    if not value.startswith("/"):
        rule = "a working directory must be an absolute path in the container"
        raise problem(rule, "write the full path, which begins with /")
    return value


_PORT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": "^([0-9]+:)?[0-9]+$"},
        {
            "type": "object",
            "properties": {"local_port": {"type": ["integer", "null"]}, "container_port": {"type": "integer"}},
            "required": ["container_port"],
            "additionalProperties": False,
        },
    ]
}

Port = Annotated[int, BeforeValidator(_read_port), WithJsonSchema(_PORT_SCHEMA)]
"""The port of the container."""
_WORDS_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Entrypoint = Annotated[tuple[str, ...], BeforeValidator(_split_entrypoint), WithJsonSchema(_WORDS_SCHEMA)]
"""The words of the command line."""
User = Annotated[str, AfterValidator(_is_a_user), WithJsonSchema({"type": ["string", "integer"]})]
Commands = Annotated[tuple[str, ...], WithJsonSchema({"type": "array", "items": {"type": ["string", "number"]}})]
WorkingDirectory = Annotated[str, AfterValidator(_is_absolute), Field(json_schema_extra={"pattern": "^/"})]
