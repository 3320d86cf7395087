"""What a caller may send to bring the gateway down, and where it can stand in a request.

A value is JSON text of nearly the largest body that is taken; a place puts one into a request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_SIZE = 8 * 1024 * 1024 - 2000


def _filled(begin: str, part: str, end: str) -> str:
    return begin + part * ((_SIZE - len(begin) - len(end)) // len(part)) + end


def _deep(begin: str, inner: str, end: str) -> str:
    levels = _SIZE // (len(begin) + len(end))
    return begin * levels + inner + end * levels


VALUES: Mapping[str, str] = {
    "a number": "1",
    "empty objects": _filled("[", "{},", "{}]"),
    "empty lists": _filled("[", "[],", "[]]"),
    "empty strings": _filled("[", '"",', '""]'),
    "numbers": _filled("[", "1000,", "1]"),
    "objects of one key": _filled("[", '{"a":0},', "{}]"),
    "many keys": "{" + ",".join(f'"k{number}":0' for number in range(600_000)) + "}",
    "messages": _filled("[", '{"role":"user","content":""},', '{"role":"user","content":""}]'),
    "parts": _filled("[", '{"type":"text","text":""},', '{"type":"text","text":""}]'),
    "deep lists": _deep("[", "", "]"),
    "deep objects": _deep('{"a":', "0", "}"),
    "two hundred levels": "[" * 190 + "0" + "]" * 190,
    "long text": json.dumps("a" * (_SIZE - 2)),
    "commas": json.dumps(",[{" * (_SIZE // 3 - 1)),
    "quotes": '"' + '\\"' * (_SIZE // 2 - 1) + '"',
    "unfinished": '"' + '\\"' * (_SIZE // 2 - 1),
    "wide text": '"' + "\\ud83d\\ude00" * (_SIZE // 12 - 1) + '"',
    "control characters": '"' + "\\u0001" * (_SIZE // 6 - 1) + '"',
    "a long number": "1" * (_SIZE - 1),
    "half a pair": '"\\ud800"',
    "half a pair in a key": '{"\\udfff": 1}',
}

Place = Callable[[str], tuple[str, bytes]]
"""The path and the body of a request that has a JSON text somewhere in it."""

_CHAT = "/v1/chat/completions"
_CALL = '{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":%s}}]}'
_TOOL = '[{"type":"function","function":{"name":"f","parameters":%s}}]'


def _in(template: str, path: str = _CHAT) -> Place:
    before, _, after = template.partition("%s")
    return lambda value: (path, (before + value + after).encode())


def _beside(template: str) -> Place:
    """In a chat that is right beside it."""
    return _in('{"model":"m","messages":[{"role":"user","content":"Hi"}],' + template + "}")


def _in_arguments(value: str) -> tuple[str, bytes]:
    """JSON in a string, which is at most half as long then."""
    return _in('{"model":"m","messages":[' + _CALL + "]}")(json.dumps('{"a":' + value[: _SIZE // 2] + "}"))


PLACES: Mapping[str, Place] = {
    "body": _in("%s"),
    "model": _in('{"model":%s}'),
    "messages": _in('{"model":"m","messages":%s}'),
    "content": _in('{"model":"m","messages":[{"role":"user","content":%s}]}'),
    "a message's other key": _in('{"model":"m","messages":[{"role":"user","content":"","more":%s}]}'),
    "arguments": _in('{"model":"m","messages":[' + _CALL + "]}"),
    "arguments in a string": _in_arguments,
    "a key that is ignored": _beside('"user":%s'),
    "stop": _beside('"stop":%s'),
    "logit_bias": _beside('"logit_bias":%s'),
    "seed": _beside('"seed":%s'),
    "chat_template_kwargs": _beside('"chat_template_kwargs":{"a":%s}'),
    "tools": _beside('"tools":%s'),
    "parameters": _beside('"tools":' + _TOOL),
    "parameters of a forced tool": _beside('"tool_choice":"required","tools":' + _TOOL),
    "a property of a forced tool": _beside(
        '"tool_choice":"required","tools":' + _TOOL.replace("%s", '{"properties":{"a":%s}}')
    ),
    "tool_choice": _beside('"tools":' + _TOOL.replace("%s", "{}") + ',"tool_choice":%s'),
    "response_format": _beside('"response_format":%s'),
    "schema": _beside('"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":%s}}'),
    "a property of a schema": _beside('"response_format":{"type":"json","value":{"properties":{"a":%s}}}'),
    "expression": _beside('"response_format":{"type":"regex","value":%s}'),
    "prompt": _in('{"model":"m","prompt":%s}', "/v1/completions"),
    "echoed prompt": _in('{"model":"m","echo":true,"prompt":%s}', "/v1/completions"),
    "body of an unknown route": _in("%s", "/v1/embeddings"),
    "a request passed on": _in('{"model":"o","input":%s}', "/v1/embeddings"),
}


def _nested(levels: int, outer: dict[str, Any], key: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = {**outer, key: [schema] if key in ("anyOf", "allOf") else schema}
    return schema


def _doubling(levels: int, prefix: str) -> dict[str, Any]:
    definitions: dict[str, Any] = {"a0": {"type": "string"}}
    for level in range(1, levels + 1):
        definitions[f"a{level}"] = {"anyOf": [{"$ref": f"{prefix}$defs/a{level - 1}"}] * 4}
    return {"properties": {"a": {"$ref": f"{prefix}$defs/a{levels}"}}, "$defs": definitions}


_LISTED = {"type": ["array", "null"]}
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "lists of types, nested": {"properties": {"a": _nested(28, _LISTED, "items")}},
    "lists of types, nested deeper": {"properties": {"a": _nested(60, {"type": ["array", "object"]}, "items")}},
    "lists of many types": {"properties": {"a": _nested(8, {"type": ["array"] * 2000}, "items")}},
    "many small lists of types": {"properties": {f"a{n}": {"type": ["string", "null"]} for n in range(8000)}},
    "doubling references": _doubling(40, "#/"),
    "doubling references without #": _doubling(40, ""),
    "many references to one": {"properties": {f"a{n}": {"$ref": "#/$defs/a"} for n in range(20_000)}, "$defs": {}},
    "itself": {"properties": {"a": {"$ref": "#"}}},
    "itself without #": {"properties": {"a": {"$ref": "properties/a"}}},
    "a million times null": {"properties": {"a": {"enum": [None] * 90_000}}},
    "many properties": {"properties": {f"a{n}": {} for n in range(40_000)}},
    "many optional properties": {"properties": {f"a{n}": {"type": "string"} for n in range(900)}},
    "a hundred levels": {"properties": {"a": _nested(90, {"type": "object"}, "additionalProperties")}},
    "alternatives": {"properties": {"a": {"anyOf": [{"type": "null"}] * 40_000}}},
    "a format that is a list": {"properties": {"a": {"type": "string", "format": []}}},
    "a depth": {"properties": {"a": {"type": "object", "depth": 2_000_000_000}}},
    "a type that is an object": {"properties": {"a": {"type": {}}, "b": {"type": [[]]}}},
    "a long path": {"properties": {"a": {"$ref": "#" + "/a" * 500_000}}},
}
SCHEMA_PLACES = ("parameters", "parameters of a forced tool", "schema", "a property of a schema")
