"""`tools`, `tool_choice` and `output_config.format`, in the form of chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway_lambda.errors import describe, invalid_type, invalid_value, unsupported_value
from gateway_lambda.generation.fields import boolean, mapping, sequence, string
from gateway_lambda.generation.request import ChatRequest

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def chat_form(request: ChatRequest, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools and the format of a request. Raises `RequestError`."""
    form = {**body, "tools": _tools(request, body.get("tools")), **_choice(body.get("tool_choice"))}
    asked = _format(body)
    if asked is not None:
        form["response_format"] = asked
    return form


def _tools(request: ChatRequest, value: object) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    found: list[dict[str, Any]] = []
    for index, item in enumerate(sequence(value, "tools")):
        param = f"tools[{index}]"
        tool = mapping(item, param)
        kind = tool.get("type")
        if kind is not None and string(kind, f"{param}.type") != "custom":
            rule = f"found the tool {kind[:40]!r}, which only Anthropic's models know; define a tool with input_schema"
            request.unsupported(param, rule)
            continue
        if tool.get("input_schema") is None:
            raise invalid_type(f"{param}.input_schema", None, "an object")
        function = {key: tool[key] for key in ("name", "description", "strict") if tool.get(key) is not None}
        found.append({"type": "function", "function": {**function, "parameters": tool["input_schema"]}})
    return found


def _choice(value: object) -> dict[str, Any]:
    """`tool_choice` and `parallel_tool_calls`."""
    if value is None:
        return {"tool_choice": None}
    choice = mapping(value, "tool_choice")
    kind = string(choice.get("type"), "tool_choice.type")
    if kind == "tool":
        name = string(choice.get("name"), "tool_choice.name")
        found: dict[str, Any] = {"tool_choice": {"type": "function", "function": {"name": name}}}
    elif kind in _CHOICES:
        found = {"tool_choice": _CHOICES[kind]}
    else:
        raise invalid_value("tool_choice.type", kind, "'auto', 'any', 'tool' or 'none'")
    alone = choice.get("disable_parallel_tool_use")
    if alone is not None:
        found["parallel_tool_calls"] = not boolean(alone, "tool_choice.disable_parallel_tool_use")
    return found


def _format(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The format of `output_config`, or of the older `output_format`."""
    config = body.get("output_config")
    asked = None if config is None else mapping(config, "output_config").get("format")
    param = "output_config.format"
    if asked is None:
        asked, param = body.get("output_format"), "output_format"
    if asked is None:
        return None
    found = mapping(asked, param)
    if found.get("type") != "json_schema":
        raise unsupported_value(f"{param}.type", f"found {describe(found.get('type'))}; use 'json_schema'")
    return {"type": "json_schema", "json_schema": {"schema": found.get("schema")}}
