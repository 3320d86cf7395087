"""`system` and `messages`: from blocks to the messages of a chat (docs/translation.md#blocks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gateway_lambda.errors import describe, invalid_type, invalid_value, unsupported_value
from gateway_lambda.generation.fields import mapping, sequence, string
from gateway_lambda.generation.turns import Turns

_BILLING = "x-anthropic-billing-header:"
"""Claude Code begins its system text with a line for Anthropic's accounting. It differs in every request, so that no
two prompts would begin alike, and the replica could not use what it keeps of the last one."""


def read_turns(system: object, messages: object) -> Turns:
    """Return the chat. Raises `RequestError`."""
    turns = Turns()
    if system is not None:
        text = _system(system)
        if text:
            turns.add({"role": "system", "content": text}, "system")
    if messages is None:
        raise invalid_type("messages", None, "a list of messages")
    for index, item in enumerate(sequence(messages, "messages")):
        place = f"messages[{index}]"
        message = mapping(item, place)
        role = string(message.get("role"), f"{place}.role")
        if role not in ("user", "assistant", "system"):
            raise invalid_value(f"{place}.role", role, "'user' or 'assistant'")
        blocks = _blocks(message.get("content"), f"{place}.content")
        if role == "assistant":
            _read_assistant(turns, blocks, place)
        elif role == "system":
            turns.add({"role": role, "content": _joined(blocks, place)}, place)
        else:
            _read_user(turns, blocks, place)
    return turns


def is_prefill(turns: Turns) -> bool:
    """Return whether the last message is the beginning of the answer."""
    return bool(turns.messages) and turns.messages[-1]["role"] == "assistant" and "tool_calls" not in turns.messages[-1]


def _system(value: object) -> str:
    blocks = _blocks(value, "system")
    kept = [block for block in blocks if not str(block.get("text", "")).startswith(_BILLING)]
    return _joined(kept, "system")


def _joined(blocks: list[dict[str, Any]], place: str) -> str:
    texts: list[str] = []
    for block in blocks:
        if block.get("type") != "text":
            raise unsupported_value(place, f"found a block of type {describe(block.get('type'))}; use text")
        texts.append(string(block.get("text"), f"{place}.text"))
    return "\n".join(texts)


def _blocks(value: object, place: str) -> list[dict[str, Any]]:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if not isinstance(value, list):
        raise invalid_type(place, value, "a string or a list of blocks")
    return [mapping(block, f"{place}[{index}]") for index, block in enumerate(cast("list[object]", value))]


def _read_assistant(turns: Turns, blocks: list[dict[str, Any]], place: str) -> None:
    """Text, calls and thinking of one turn. A turn without any of them is an empty text."""
    said = False
    for index, block in enumerate(blocks):
        where = f"{place}.content[{index}]"
        kind = string(block.get("type"), f"{where}.type")
        if kind == "text":
            turns.say(string(block.get("text"), f"{where}.text"), place)
        elif kind == "thinking":
            turns.reason(string(block.get("thinking"), f"{where}.thinking"), place)
        elif kind == "tool_use":
            identity, name = string(block.get("id"), f"{where}.id"), string(block.get("name"), f"{where}.name")
            turns.call(identity, name, mapping(block.get("input"), f"{where}.input"), place)
        elif kind != "redacted_thinking":
            rule = (
                f"found {describe(kind)}; use text, thinking or tool_use, because only Anthropic's servers write others"
            )
            raise unsupported_value(f"{where}.type", rule)
        said = said or kind in ("text", "tool_use")
    if not said:
        turns.say("", place)


def _read_user(turns: Turns, blocks: list[dict[str, Any]], place: str) -> None:
    """Results of calls come first, as the model expects them behind its calls."""
    parts: list[dict[str, Any]] = []
    for index, block in enumerate(blocks):
        where = f"{place}.content[{index}]"
        if block.get("type") == "tool_result":
            identity = string(block.get("tool_use_id"), f"{where}.tool_use_id")
            turns.result(identity, _result(block, where), where)
        else:
            parts.append(_part(block, where))
    if parts or not blocks:
        turns.ask(_plain(parts), place)


def _result(block: Mapping[str, Any], place: str) -> object:
    """The content of a result. One that failed says so, because templates have no other place for it."""
    given = block.get("content")
    blocks = [] if given is None else _blocks(given, f"{place}.content")
    content = _plain([_part(each, f"{place}.content[{index}]") for index, each in enumerate(blocks)])
    if block.get("is_error") is True and isinstance(content, str) and not content.lower().startswith("error"):
        return f"Error: {content}"
    return content


def _plain(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A text, if all parts are texts."""
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(block: Mapping[str, Any], place: str) -> dict[str, Any]:
    kind = string(block.get("type"), f"{place}.type")
    if kind == "text":
        return {"type": "text", "text": string(block.get("text"), f"{place}.text")}
    source = mapping(block.get("source"), f"{place}.source") if kind in ("image", "document") else {}
    form = source.get("type")
    if kind == "document" and form == "text":
        return {"type": "text", "text": string(source.get("data"), f"{place}.source.data")}
    if kind != "image":
        raise unsupported_value(f"{place}.type", f"found {describe(kind)}; use text, image or tool_result")
    if form == "url":
        return _image(string(source.get("url"), f"{place}.source.url"))
    if form != "base64":
        raise unsupported_value(f"{place}.source.type", f"found {describe(form)}; use 'base64' or 'url'")
    media = string(source.get("media_type"), f"{place}.source.media_type")
    return _image(f"data:{media};base64,{string(source.get('data'), f'{place}.source.data')}")


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}
