"""`tools`, `tool_choice` and `text.format`, in the form of chat completions (docs/translation.md#tools-of-responses).

A custom tool takes a text. The model sees it as a function with one parameter, `input`. Of a namespace, the model sees
each tool as a function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from gateway_lambda.errors import describe, invalid_type, unsupported_value
from gateway_lambda.generation.fields import mapping, sequence, string
from gateway_lambda.generation.request import ChatRequest
from gateway_lambda.responses.sent_tools import shown_name

_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def chat_form(request: ChatRequest, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tools and the text format of a request. Raises `RequestError`."""
    form = {**body, "tools": _tools(request, body.get("tools")), "tool_choice": _choice(body.get("tool_choice"))}
    text = body.get("text")
    asked = None if text is None else mapping(text, "text").get("format")
    if asked is not None:
        form["response_format"] = _format(asked)
    return form


def _tools(request: ChatRequest, value: object) -> list[dict[str, Any]] | None:
    if value is None:
        return None
    found: list[dict[str, Any]] = []
    grouped: list[dict[str, Any]] = []
    for index, item in enumerate(sequence(value, "tools")):
        param = f"tools[{index}]"
        tool = mapping(item, param)
        kind = string(tool.get("type"), f"{param}.type")
        if kind in _FUNCTIONS:
            found.append(_function(kind, tool, param))
        elif kind == "namespace":
            grouped += _of_namespace(tool, param)
        else:
            rule = f"found the tool {kind[:40]!r}, which OpenAI's servers run; leave it out, or define a function"
            request.unsupported(param, rule)
    return found + grouped


def _of_namespace(tool: Mapping[str, Any], param: str) -> Iterator[dict[str, Any]]:
    namespace = string(tool.get("name"), f"{param}.name")
    for index, item in enumerate(sequence(tool.get("tools"), f"{param}.tools")):
        place = f"{param}.tools[{index}]"
        inner = mapping(item, place)
        kind = string(inner.get("type"), f"{place}.type")
        if kind not in _FUNCTIONS:
            raise unsupported_value(f"{place}.type", f"found {describe(kind)}; use function or custom")
        name = shown_name(namespace, string(inner.get("name"), f"{place}.name"))
        yield _function(kind, {**inner, "name": name}, place)


def _function(kind: str, tool: Mapping[str, Any], param: str) -> dict[str, Any]:
    if kind == "custom":
        return {"type": "function", "function": _custom(tool, param)}
    return {"type": "function", "function": {key: inner for key, inner in tool.items() if key in _KEPT}}


_FUNCTIONS = ("function", "custom")


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
        return {"type": "function", "function": {"name": _chosen(choice)}}
    if kind == "allowed_tools":
        return _allowed(choice)
    rule = f"found {describe(kind)}; use function, custom or allowed_tools, because other tools do not exist here"
    raise unsupported_value("tool_choice.type", rule)


def _chosen(choice: Mapping[str, Any]) -> object:
    name, namespace = choice.get("name"), choice.get("namespace")
    return shown_name(namespace, name) if isinstance(name, str) and isinstance(namespace, str) else name


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
    return {**found, "type": "function", "name": _chosen(found)} if found.get("type") in _FUNCTIONS else found


def _format(value: object) -> dict[str, Any]:
    asked = mapping(value, "text.format")
    kind = asked.get("type")
    if kind is None:
        raise invalid_type("text.format.type", None, "one of text, json_schema, json_object")
    if kind != "json_schema":
        return asked
    return {"type": kind, "json_schema": {key: inner for key, inner in asked.items() if key != "type"}}
