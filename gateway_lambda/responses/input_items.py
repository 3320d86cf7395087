"""`instructions` and `input`: from items to the messages of a chat (docs/translation.md#input-items)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from gateway_lambda.errors import describe, invalid_type, invalid_value, unsupported_value
from gateway_lambda.generation.fields import mapping, sequence, string
from gateway_lambda.generation.turns import Turns
from gateway_lambda.responses.sent_tools import shown_name

_ROLES = ("user", "assistant", "system", "developer")
_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
"""Types of parts that are text, and where it is."""
_NOT_STORED = (
    "the gateway stores no responses, so it does not know this item; send the item itself (clients send references "
    "unless their setting store is false)"
)


def read_input(instructions: object, value: object) -> Turns:
    """Return the chat. Raises `RequestError`."""
    turns = Turns()
    if instructions is not None:
        turns.add({"role": "system", "content": string(instructions, "instructions")}, "instructions")
    if isinstance(value, str):
        turns.add({"role": "user", "content": value}, "input")
        return turns
    if type(value) is not list:
        raise invalid_type("input", value, "a string or a list of items")
    items = cast("list[object]", value)
    for index, item in enumerate(items):
        place = f"input[{index}]"
        found = mapping(item, place)
        kind = found.get("type")
        if kind is None:
            kind = "message" if "role" in found else "item_reference"
        read = _ITEMS.get(string(kind, f"{place}.type"))
        if read is None:
            raise unsupported_value(f"{place}.type", f"found {describe(kind)}; use one of {', '.join(_ITEMS)}")
        read(turns, found, place)
    if not turns.messages:
        raise invalid_value("input", items, "a text, or at least one item")
    return turns


def _message(turns: Turns, item: Mapping[str, Any], place: str) -> None:
    role = string(item.get("role"), f"{place}.role")
    if role not in _ROLES:
        raise invalid_value(f"{place}.role", role, f"one of {', '.join(_ROLES)}")
    content = _content(item.get("content"), f"{place}.content")
    if role != "assistant":
        turns.add({"role": role, "content": content}, place)
    elif isinstance(content, str):
        turns.say(content, place)
    else:
        raise unsupported_value(f"{place}.content", "found an image in a message of the assistant; use text")


def _content(value: object, place: str) -> str | list[dict[str, Any]]:
    """A text, or parts if there are several, or images."""
    if isinstance(value, str):
        return value
    if type(value) is not list:
        raise invalid_type(place, value, "a string or a list of parts")
    parts = [_part(part, f"{place}[{index}]") for index, part in enumerate(cast("list[object]", value))]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(value: object, place: str) -> dict[str, Any]:
    part = mapping(value, place)
    kind = string(part.get("type"), f"{place}.type")
    if kind in _TEXTS:
        return {"type": "text", "text": string(part.get(_TEXTS[kind]), f"{place}.{_TEXTS[kind]}")}
    if kind != "input_image":
        raise unsupported_value(f"{place}.type", f"found {describe(kind)}; use input_text or input_image")
    if part.get("image_url") is None:
        raise unsupported_value(f"{place}.file_id", "the gateway stores no files; use image_url with a data: URI")
    return {"type": "image_url", "image_url": {"url": string(part["image_url"], f"{place}.image_url")}}


def _reasoning(turns: Turns, item: Mapping[str, Any], place: str) -> None:
    """The text of the reasoning, or of its summary. Reasoning that is only encrypted says nothing here."""
    for key in ("content", "summary"):
        given = item.get(key)
        parts = [] if given is None else sequence(given, f"{place}.{key}")
        texts = [_reasoning_text(part, f"{place}.{key}[{index}]") for index, part in enumerate(parts)]
        if any(texts):
            turns.reason("\n".join(texts), place)
            return


def _reasoning_text(value: object, place: str) -> str:
    return string(mapping(value, place).get("text"), f"{place}.text")


def _function_call(turns: Turns, item: Mapping[str, Any], place: str) -> None:
    arguments = string(item.get("arguments"), f"{place}.arguments")
    turns.call(_call_id(item, place), _called(item, place), arguments, place)


def _custom_call(turns: Turns, item: Mapping[str, Any], place: str) -> None:
    arguments = {"input": string(item.get("input"), f"{place}.input")}
    turns.call(_call_id(item, place), _called(item, place), arguments, place)


def _called(item: Mapping[str, Any], place: str) -> str:
    namespace = item.get("namespace")
    name = string(item.get("name"), f"{place}.name")
    return shown_name(None if namespace is None else string(namespace, f"{place}.namespace"), name)


def _output(turns: Turns, item: Mapping[str, Any], place: str) -> None:
    turns.result(_call_id(item, place), _content(item.get("output"), f"{place}.output"), place)


def _call_id(item: Mapping[str, Any], place: str) -> str:
    return string(item.get("call_id"), f"{place}.call_id")


def _reference(turns: Turns, item: Mapping[str, Any], place: str) -> None:
    raise unsupported_value(place, _NOT_STORED)


_ITEMS: Mapping[str, Callable[[Turns, Mapping[str, Any], str], None]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
    "item_reference": _reference,
}
