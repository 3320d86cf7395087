"""`tools`, `tool_choice` and `text.format`, in the form of chat completions (docs/translation.md#tools-of-responses).

A custom tool takes a text. The model sees it as a function with one parameter, `input`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gateway_lambda.errors import describe, invalid_type, unsupported_value
from gateway_lambda.generation.fields import mapping, sequence, string
from gateway_lambda.generation.request import ChatRequest

_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def chat_form(request: ChatRequest, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools and the text format of a request. Raises `RequestError`."""
    form = {**body, "tools": _tools(request, body.get("tools")), "tool_choice": _choice(body.get("tool_choice"))}
    text = body.get("text")
    asked = None if text is None else mapping(text, "text").get("format")
    if asked is not None:
        form["response_format"] = _format(asked)
    return form


def custom_tools(body: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the custom tools of a request whose tools were read."""
    given = cast("list[dict[str, Any]]", body.get("tools") or [])
    return frozenset(tool["name"] for tool in given if tool["type"] == "custom")


def _tools(request: ChatRequest, value: object) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    found: list[dict[str, Any]] = []
    for index, item in enumerate(sequence(value, "tools")):
        param = f"tools[{index}]"
        tool = mapping(item, param)
        kind = string(tool.get("type"), f"{param}.type")
        if kind == "function":
            function = {key: inner for key, inner in tool.items() if key in _KEPT}
            found.append({"type": "function", "function": function})
        elif kind == "custom":
            found.append({"type": "function", "function": _custom(tool, param)})
        else:
            rule = f"found the tool {kind[:40]!r}, which OpenAI's servers run; leave it out, or define a function"
            request.unsupported(param, rule)
    return found


_KEPT = frozenset(("name", "description", "parameters", "strict"))


def _custom(tool: Mapping[str, Any], param: str) -> dict[str, Any]:
    said = tool.get("description")
    description = "" if said is None else string(said, f"{param}.description")
    given = tool.get("format")
    asked = {} if given is None else mapping(given, f"{param}.format")
    if asked.get("type") == "grammar":
        syntax = string(asked.get("syntax"), f"{param}.format.syntax")
        definition = string(asked.get("definition"), f"{param}.format.definition")
        description = f"{description}\n\nThe input has the form of this {syntax} grammar:\n{definition}".lstrip()
    return {"name": tool.get("name"), "description": description or None, "parameters": _INPUT}


def _choice(value: object) -> object:
    if not isinstance(value, dict):
        return value
    choice = cast("dict[str, Any]", value)
    kind = string(choice.get("type"), "tool_choice.type")
    if kind in ("function", "custom"):
        return {"type": "function", "function": {"name": choice.get("name")}}
    if kind == "allowed_tools":
        return _allowed(choice)
    rule = f"found {describe(kind)}; use function, custom or allowed_tools, because other tools do not exist here"
    raise unsupported_value("tool_choice.type", rule)


def _allowed(choice: dict[str, Any]) -> dict[str, Any]:
    """Custom tools are functions here too. The reader of tools checks the rest."""
    given = choice.get("tools")
    if not isinstance(given, list):
        return choice
    return {**choice, "tools": [_as_function(tool) for tool in cast("list[object]", given)]}


def _as_function(tool: object) -> object:
    if not isinstance(tool, dict):
        return tool
    found = cast("dict[str, Any]", tool)
    return {**found, "type": "function"} if found.get("type") == "custom" else found


def _format(value: object) -> dict[str, Any]:
    asked = mapping(value, "text.format")
    kind = asked.get("type")
    if kind is None:
        raise invalid_type("text.format.type", None, "one of text, json_schema, json_object")
    if kind != "json_schema":
        return asked
    return {"type": kind, "json_schema": {key: inner for key, inner in asked.items() if key != "type"}}
