"""Changing JSON as somebody would who looks for what a program forgot: its structure, seldom its syntax."""

from __future__ import annotations

import json
from random import Random
from typing import Any

_WORDS = (
    *("type", "function", "name", "parameters", "arguments", "properties", "required", "items", "anyOf", "allOf"),
    *("$ref", "$defs", "#", "#/$defs/f", "enum", "const", "format", "depth", "additionalProperties", "json_schema"),
    *("schema", "value", "role", "content", "tool_calls", "tool_call_id", "text", "image_url", "url", "user"),
    *("assistant", "tool", "system", "developer", "auto", "required", "none", "object", "array", "string", "null", "f"),
    *("m", "o", "stream", "token", "special", "logprob", "details", "finish_reason", "generated_text", "top_tokens"),
    *(
        "error",
        "message",
        "</s>",
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        '{"name": "f", "arguments": {"a": 1}}',
    ),
)
_ODD = (
    *("\ud800", "\udfff", "\x00", "\n", "\r\n", "\u2028", "\U0001f600", "", " ", "a" * 5000, "1" * 5000, "%0d%0a", "é"),
    *("http://a..b", "http://127.0.0.1:1", "http://[::1", "https://x:99999/", "{{ messages }}", "{% raise %}", "data:"),
    *("[DONE]", "x: y\r\nz: w", "../../", "//", "-1", "NaN", "0x1", "null", "*", "/v1/../.."),
)
_NUMBERS = (0, 0, -1, 1, 2, 20, 1.5, -0.0, 1e-46, 1e308, 2**31, 2**53, 2**63, 2**64, 10**30, 10**400, 0.1)


def mutated(value: Any, random: Random) -> Any:
    """Another value, made of `value` by some changes, each of them anywhere in it."""
    found = [json.loads(json.dumps(value))]
    for left in reversed(range(random.choice((1, 1, 2, 2, 3, 5, 8)))):
        _change(found, random, 2 if left else 3000)
    return found[0] if found else None


def written(value: Any, random: Random) -> str:
    """A text whose characters are the bytes of JSON, of which a few may be wrong."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.7)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if random.random() < 0.06:
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(data) + 1)
            data[at : at + random.randint(0, 3)] = random.choice((b"", b"\x00", b"\xff", b'"', b"{", b"]", b"\\", b","))
    return data.decode("latin-1")


def _change(value: Any, random: Random, most: int) -> None:
    """Change one place in a container, each with the same chance. Nothing is repeated more than `most` times."""
    places = _places(value)
    if not places:
        return
    container, key = random.choice(places)
    match random.randrange(12):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[random.choice(_WORDS)] = container.pop(key)
        case 2 | 3 if isinstance(container, dict):
            container[random.choice(_WORDS)] = any_value(random)
        case 4 if isinstance(container, list):
            container[:] = [container[key]] * min(most, random.choice((2, 3, 100, 3000)))
        case _:
            container[key] = _other(container[key], random, most)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    found: list[tuple[Any, Any]] = []
    left = [value]
    while left:
        container = left.pop()
        if isinstance(container, dict | list):
            found += [(container, key) for key in (container if isinstance(container, dict) else range(len(container)))]
            left += container.values() if isinstance(container, dict) else container
    return found


def _other(value: Any, random: Random, most: int) -> Any:
    match random.randrange(9):
        case 0:
            return random.choice(([], {}, [value], [[]], [{}]))
        case 1:
            return {random.choice(_WORDS): value}
        case 2:
            return json.dumps(value)
        case 2 if random.random() < 0.5:
            return [value] * min(most, random.choice((2, 50, 2000)))
        case 4 | 5 if isinstance(value, str):
            return random.choice((value, "")) + random.choice(_ODD)
        case 4 | 5 if isinstance(value, int | float):
            return random.choice(_NUMBERS)
        case 6 | 7 | 8 if isinstance(value, str) and "{" in value:
            return _changed_inside(value, random)
        case 3:
            for _ in range(random.choice((3, 30, 300))):
                value = [value] if random.random() < 0.5 else {random.choice(("items", "properties", "a")): value}
            return value
        case _:
            return any_value(random)


def _changed_inside(text: str, random: Random) -> str:
    """A text that ends with JSON, which is changed."""
    begin, bracket, rest = text.partition("{")
    try:
        return begin + json.dumps(mutated(json.loads(bracket + rest), random))
    except ValueError:
        return text


def any_value(random: Random, levels: int = 3) -> Any:
    """A value that is often wrong."""
    match random.randrange(7 if levels else 4):
        case 0:
            return random.choice((None, True, False))
        case 1:
            return random.choice(_NUMBERS)
        case 2:
            return random.choice(_WORDS)
        case 3:
            return random.choice(_ODD)
        case 4:
            return [any_value(random, levels - 1) for _ in range(random.randrange(4))]
        case _:
            return {random.choice(_WORDS): any_value(random, levels - 1) for _ in range(random.randrange(4))}
