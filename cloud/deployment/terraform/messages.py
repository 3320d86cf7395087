"""The few messages of Terraform's plugin protocol 5 that a client of one provider needs.

`_FIELDS` names the fields with the numbers of the protocol. An enum is a number, and a map is a list of its entries:
both are the same on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELDS: Mapping[str, str] = {
    "DynamicValue": "msgpack:bytes=1",
    "Step": "attribute_name:string=1 element_key_string:string=2 element_key_int:int64=3",
    "AttributePath": "steps:Step*=1",
    "Diagnostic": "severity:int32=1 summary:string=2 detail:string=3 attribute:AttributePath=4",
    "Attribute": "name:string=1 type:bytes=2 required:bool=4 optional:bool=5 computed:bool=6 sensitive:bool=7",
    "NestedBlock": "type_name:string=1 block:Block=2 nesting:int32=3 min_items:int64=4 max_items:int64=5",
    "Block": "attributes:Attribute*=2 block_types:NestedBlock*=3",
    "Schema": "version:int64=1 block:Block=2",
    "SchemaEntry": "key:string=1 value:Schema=2",
    "SchemaRequest": "",
    "SchemaResponse": (
        "provider:Schema=1 resource_schemas:SchemaEntry*=2 data_source_schemas:SchemaEntry*=3 diagnostics:Diagnostic*=4"
    ),
    "ConfigureRequest": "terraform_version:string=1 config:DynamicValue=2",
    "ValidateRequest": "type_name:string=1 config:DynamicValue=2",
    "Diagnostics": "diagnostics:Diagnostic*=1",
    "PlanRequest": (
        "type_name:string=1 prior_state:DynamicValue=2 proposed_new_state:DynamicValue=3 config:DynamicValue=4 "
        "prior_private:bytes=5"
    ),
    "PlanResponse": (
        "planned_state:DynamicValue=1 requires_replace:AttributePath*=2 planned_private:bytes=3 "
        "diagnostics:Diagnostic*=4"
    ),
    "ApplyRequest": (
        "type_name:string=1 prior_state:DynamicValue=2 planned_state:DynamicValue=3 config:DynamicValue=4 "
        "planned_private:bytes=5"
    ),
    "ApplyResponse": "new_state:DynamicValue=1 private:bytes=2 diagnostics:Diagnostic*=3",
    "ReadRequest": "type_name:string=1 current_state:DynamicValue=2 private:bytes=3",
    "ReadResponse": "new_state:DynamicValue=1 diagnostics:Diagnostic*=2 private:bytes=3",
    "ReadDataRequest": "type_name:string=1 config:DynamicValue=2",
    "ReadDataResponse": "state:DynamicValue=1 diagnostics:Diagnostic*=2",
}
_PACKAGE = "servestack.tfplugin5"
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _FIELD.TYPE_BYTES,
    "string": _FIELD.TYPE_STRING,
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
}


def message(name: str) -> Any:
    """The class of a message."""
    return _CLASSES[name]


def _classes() -> Mapping[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin5", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        described = file.message_type.add(name=name)
        for field in fields.split():
            _describe(described.field.add(), field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS}


def _describe(field: Any, text: str) -> None:
    """`steps:Step*=1`: a list of messages, with number 1."""
    field.name, _, rest = text.partition(":")
    kind, _, number = rest.partition("=")
    field.number = int(number)
    field.label = _FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL
    kind = kind.removesuffix("*")
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"


_CLASSES = _classes()
