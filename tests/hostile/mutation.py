"""Changing JSON as somebody would who looks for what a program forgot: its structure, seldom its syntax."""

from __future__ import annotations

import json
from random import Random
from typing import Any

_WORDS = (
    *(
        "type",
        "function",
        "name",
        "parameters",
        "arguments",
        "properties",
        "required",
        "items",
        "anyOf",
        "allOf",
        "$ref",
    ),
    *("$defs", "#", "#/$defs/f", "enum", "const", "format", "depth", "additionalProperties", "json_schema", "schema"),
    *(
        "value",
        "role",
        "content",
        "tool_calls",
        "tool_call_id",
        "text",
        "image_url",
        "url",
        "user",
        "assistant",
        "tool",
    ),
    *("system", "developer", "auto", "required", "none", "object", "array", "string", "null", "f", "m", "o", "stream"),
    *("token", "special", "logprob", "details", "finish_reason", "generated_text", "top_tokens", "error", "message"),
    *("<tool_call>", "</tool_call>", '{"name": "f", "arguments": {"a": 1}}', "[TOOL_CALLS]", "</s>", "data:", "[DONE]"),
    *("\ud800", "\udfff", "\u0000", "\n", "\r\n", "\u2028", "\U0001f600", "", " ", "a" * 5000, "1" * 5000, "%0d%0a"),
    *("http://a..b", "http://127.0.0.1:1", "http://[::1", "https://x:99999/", "{{ messages }}", "{% raise %}", "é"),
)
_NUMBERS = (0, -1, 1, 2, 20, 1.5, -0.0, 1e-46, 1e308, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400, 0.1)


def mutated(value: Any, random: Random) -> Any:
    """Another value, made of `value` by some changes, each of them anywhere in it."""
    found = json.loads(json.dumps(value))
    for change in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        found = _changed(found, random, 2 if change else 3000)
    return found


def written(value: Any, random: Random) -> str:
    """A text whose characters are the bytes of JSON, of which a few may be wrong."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.7)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if random.random() < 0.06:
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(data) + 1)
            data[at : at + random.randint(0, 3)] = random.choice((b"", b"\x00", b"\xff", b'"', b"{", b"]", b"\\", b","))
    return data.decode("latin-1")


def _changed(value: Any, random: Random, most: int) -> Any:
    """`value` with one change, which repeats nothing more than `most` times."""
    if isinstance(value, dict | list) and value and random.random() < 0.85:
        key = random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
        if random.random() < 0.75:
            value[key] = _changed(value[key], random, most)
        else:
            _change_container(value, key, random, most)
        return value
    return _other(value, random, most)


def _change_container(value: Any, key: Any, random: Random, most: int) -> None:
    match random.randrange(5):
        case 0:
            del value[key]
        case 1 if isinstance(value, dict):
            value[random.choice(_WORDS)] = value.pop(key)
        case 2 if isinstance(value, dict):
            value[random.choice(_WORDS)] = any_value(random)
        case 3 if isinstance(value, list):
            value[:] = [value[key]] * min(most, random.choice((2, 3, 100, 3000)))
        case _:
            value[key] = any_value(random)


def _other(value: Any, random: Random, most: int) -> Any:
    match random.randrange(8):
        case 0:
            return [value]
        case 1:
            return {random.choice(_WORDS): value}
        case 2:
            return json.dumps(value)
        case 3:
            return [value] * min(most, random.choice((2, 50, 2000)))
        case 4 if isinstance(value, str):
            return value + random.choice(_WORDS)
        case 5:
            for _ in range(random.choice((3, 30, 300))):
                value = [value] if random.random() < 0.5 else {random.choice(("items", "properties", "a")): value}
            return value
        case _:
            return any_value(random)


def any_value(random: Random, levels: int = 3) -> Any:
    """A value that is often wrong."""
    match random.randrange(7 if levels else 4):
        case 0:
            return random.choice((None, True, False))
        case 1:
            return random.choice(_NUMBERS)
        case 2 | 3:
            return random.choice(_WORDS)
        case 4:
            return [any_value(random, levels - 1) for _ in range(random.randrange(4))]
        case _:
            return {random.choice(_WORDS): any_value(random, levels - 1) for _ in range(random.randrange(4))}
