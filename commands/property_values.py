"""Property values of a Pulumi program, between the engine's wire form and plain Python values.

On the wire (`google.protobuf.Struct`) a secret, an asset or a value that is not known yet is a structure with a
reserved key, and every number is a float. Here they are small frozen objects, and a whole number is an int.
The reserved keys are those of pulumi's sdk/go/common/resource/sig and .../resource/plugin/rpc.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, Union, cast

from google.protobuf import struct_pb2

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""How the engine writes an unknown string, boolean, number, list, asset, archive and object."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_ASSET = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the name of a kind of value
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"


@dataclass(frozen=True)
class SecretValue:
    """A value that the program marked secret; `str()` and `repr()` do not show it."""

    value: PropertyValue = field(repr=False)

    def __repr__(self) -> str:
        return "SecretValue(***)"


@dataclass(frozen=True)
class UnknownValue:
    """A value that only a deployment can know."""


UNKNOWN = UnknownValue()


@dataclass(frozen=True)
class FileValue:
    """An asset or an archive: one of `path`, `text`, `uri` and `members` is set."""

    archive: bool
    path: str | None = None
    text: str | None = None
    uri: str | None = None
    members: Mapping[str, PropertyValue] | None = None
    hash: str | None = None
    """Of its contents, where the engine has read them."""


@dataclass(frozen=True)
class ResourceReference:
    """A resource that is passed as a value."""

    urn: str
    id: str | None


PropertyValue: TypeAlias = Union[
    bool,
    int,
    float,
    str,
    SecretValue,
    UnknownValue,
    FileValue,
    ResourceReference,
    "list[PropertyValue]",
    "dict[str, PropertyValue]",
    None,
]
Properties: TypeAlias = "dict[str, PropertyValue]"


def decode(properties: struct_pb2.Struct) -> Properties:
    """Return the properties of a request. Those that are null are left out, as the SDK does."""
    values = {key: _decode(value) for key, value in properties.fields.items()}
    return {key: value for key, value in values.items() if value is not None}


def encode(properties: Mapping[str, PropertyValue]) -> struct_pb2.Struct:
    """Return the wire form of `properties`."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in properties.items()})


def without_secrets_marked(value: PropertyValue) -> PropertyValue:
    """Return `value` with plain values in place of secrets."""
    if isinstance(value, SecretValue):
        return without_secrets_marked(value.value)
    if isinstance(value, list):
        return [without_secrets_marked(item) for item in value]
    if isinstance(value, dict):
        return {key: without_secrets_marked(item) for key, item in value.items()}
    return value


def holds(value: PropertyValue, kind: type[SecretValue] | type[UnknownValue]) -> bool:
    """Whether something in `value`, at any depth, is secret or unknown."""
    if isinstance(value, kind):
        return True
    if isinstance(value, SecretValue):
        return holds(value.value, kind)
    if isinstance(value, FileValue):
        return any(holds(item, kind) for item in (value.members or {}).values())
    if isinstance(value, list):
        return any(holds(item, kind) for item in value)
    if isinstance(value, dict):
        return any(holds(item, kind) for item in value.values())
    return False


def _decode(value: struct_pb2.Value) -> PropertyValue:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "bool_value":
        return value.bool_value
    return None


def _decode_struct(struct: struct_pb2.Struct) -> PropertyValue:
    if _SIGNATURE not in struct.fields:
        return decode(struct)
    signature = struct.fields[_SIGNATURE].string_value
    if signature == _SECRET:
        return SecretValue(_decode(struct.fields["value"]))
    if signature in (_ASSET, _ARCHIVE):
        members = _decode(struct.fields["assets"]) if "assets" in struct.fields else None
        return FileValue(
            archive=signature == _ARCHIVE,
            path=_text(struct, "path"),
            text=_text(struct, "text"),
            uri=_text(struct, "uri"),
            members=cast("Mapping[str, PropertyValue] | None", members),
            hash=_text(struct, "hash"),
        )
    if signature == _RESOURCE:
        return ResourceReference(urn=struct.fields["urn"].string_value, id=_text(struct, "id"))
    raise ValueError(f"a property value has the unknown signature {signature}; decode() needs a case for it")


def _text(struct: struct_pb2.Struct, key: str) -> str | None:
    return struct.fields[key].string_value if key in struct.fields else None


def _encode(value: PropertyValue) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, (int, float)):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, UnknownValue):
        return struct_pb2.Value(string_value=_UNKNOWN)
    if isinstance(value, list):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
    return struct_pb2.Value(struct_value=encode(value if isinstance(value, dict) else _marked(value)))


def _marked(value: SecretValue | FileValue | ResourceReference) -> Properties:
    if isinstance(value, SecretValue):
        return {_SIGNATURE: _SECRET, "value": value.value}
    if isinstance(value, ResourceReference):
        return _without_null({_SIGNATURE: _RESOURCE, "urn": value.urn, "id": value.id})
    form: Properties = {
        _SIGNATURE: _ARCHIVE if value.archive else _ASSET,
        "path": value.path,
        "text": value.text,
        "uri": value.uri,
        "assets": None if value.members is None else dict(value.members),
        "hash": value.hash,
    }
    return _without_null(form)


def _without_null(form: Properties) -> Properties:
    return {key: item for key, item in form.items() if item is not None}
