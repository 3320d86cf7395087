"""`tools`, `tool_choice` and `parallel_tool_calls`: what goes to the template, grammar and parser.

The rules: docs/translation.md#tools.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec

from gateway_lambda.errors import RequestError, ServiceError, describe, invalid_type, invalid_value, unsupported_value
from gateway_lambda.generation.answer_parser import AnswerParser
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.fields import boolean, mapping, sequence, string
from gateway_lambda.generation.harmony import HarmonyParser
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.answer_or_call import AnswerOrCallParser
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.call_syntax import SYNTAXES, named_in_templates, with_bare_objects
from gateway_lambda.tools.forced_call_grammar import Function, answer_schema, call_grammar
from gateway_lambda.tools.said import new_call_id
from gateway_lambda.tools.tool_rule import tool_rule

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MOST = 128
"""Functions in a request, as at OpenAI."""
_CHOICES = '\'none\', \'auto\', \'required\' or {"type": "function", "function": {"name": …}}'
_PARSERS = {"grammar": "any", **{name: name for name in SYNTAXES if name not in ("any", "forced")}}
"""The record's `tools`, and the syntax of calls if the model may choose whether to call."""


class ToolUse(msgspec.Struct, frozen=True):
    """The result of reading a request's tools. The defaults mean no tools."""

    tools: list[dict[str, Any]] | None = None
    """The variable of the template."""
    grammar: dict[str, Any] | None = None
    """Forces a call."""
    syntax: str | None = None
    """The call syntax to look for in the answer (`call_syntax.py`). None: all of the answer is content."""
    in_template: str = "any"
    """The call syntax that the model's template names. With the syntax `any`, this one is looked for."""
    names: frozenset[str] = frozenset()
    """Functions that may be called."""
    parallel: bool = True
    answers: bool = False
    """The grammar allows a call, or an answer in the response format."""
    dropped: tuple[str, ...] = ()
    """Parameters ignored because the record says `unsupported_params: drop`."""

    def parser(self) -> AnswerParser | None:
        """Return a new parser for one choice, if the gateway looks for calls."""
        if self.syntax is None:
            return None
        definitions = [tool["function"] for tool in self.tools or ()]
        functions = {each["name"]: each["parameters"] for each in definitions if each["name"] in self.names}
        if self.answers:
            return AnswerOrCallParser(functions)
        if self.in_template == "harmony" and self.syntax == "any":
            return HarmonyParser(functions, parallel=self.parallel, new_id=new_call_id)
        syntax = with_bare_objects(self.in_template) if self.syntax == "any" else SYNTAXES[self.syntax]
        return CallParser(syntax, functions, parallel=self.parallel)

    def rule(self) -> str:
        """Return the text that tells a model of the tools and of the syntax."""
        return tool_rule(self.tools or (), self.syntax or "any", answers=self.answers)


def read_tools(
    body: Mapping[str, Any],
    model: Model,
    capabilities: Capabilities,
    answer: dict[str, Any] | None = None,
    answer_param: str = "",
) -> ToolUse:
    """Return what the request asks for. Raises `RequestError`.

    `answer`: the grammar of its response format, which comes from the field `answer_param`.
    """
    functions, tools = _functions(body.get("tools"))
    choice = _choice(body.get("tool_choice"))
    parallel = body.get("parallel_tool_calls")
    parallel = True if parallel is None else boolean(parallel, "parallel_tool_calls")
    forced = isinstance(choice, _Named) or choice == "required"
    if isinstance(choice, _Allowed):
        functions, tools = _only(choice.names, functions, tools)
        forced = choice.mode == "required"
    if not functions:
        if forced:
            raise invalid_value("tool_choice", body["tool_choice"], "'none' or 'auto' where there are no tools")
        return ToolUse()
    chosen = _chosen(functions, choice)
    mode = _mode(model, capabilities)
    if mode == "off":
        return ToolUse() if choice == "none" else _without_tools(model, body)
    if choice == "none":
        return ToolUse(tools=tools)
    if not forced:
        if answer is None:
            return ToolUse(
                tools=tools,
                syntax=_PARSERS[mode],
                in_template=named_in_templates((model.chat_template or "", *model.chat_templates.values())),
                names=frozenset(functions),
                parallel=parallel,
            )
        grammar = call_grammar(functions.values(), capabilities, answer_schema(answer, answer_param))
        return ToolUse(tools=tools, grammar=grammar, syntax="forced", names=frozenset(functions), answers=True)
    if not capabilities.takes_grammar:
        rule = "this version of the upstream cannot be forced to call tools; use 'auto', or TGI 1.4.1 or newer"
        raise unsupported_value("tool_choice", rule)
    return ToolUse(
        tools=tools, grammar=call_grammar(chosen.values(), capabilities), syntax="forced", names=frozenset(chosen)
    )


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Allowed(msgspec.Struct, frozen=True):
    mode: str
    names: tuple[str, ...]


def _functions(value: object) -> tuple[dict[str, Function], list[dict[str, Any]]]:
    """The functions by name, and the tools as the template gets them: without nulls, with parameters."""
    functions: dict[str, Function] = {}
    tools: list[dict[str, Any]] = []
    given = [] if value is None else sequence(value, "tools")
    if len(given) > _MOST:
        raise invalid_value("tools", given, f"at most {_MOST} tools")
    for index, item in enumerate(given):
        param = f"tools[{index}]"
        tool = mapping(item, param)
        _check_type(tool.get("type"), f"{param}.type")
        definition = mapping(tool.get("function"), f"{param}.function")
        plain = _definition(definition, f"{param}.function")
        name: str = plain["name"]
        if name in functions:
            raise invalid_value(f"{param}.function.name", name, "a name that no other function of the request has")
        functions[name] = Function(name, plain["parameters"], f"{param}.function.parameters")
        tools.append({"type": "function", "function": plain})
    return functions, tools


def _check_type(value: object, param: str) -> None:
    if string(value, param) != "function":
        raise unsupported_value(
            param, f"found {describe(value)}; use 'function', because other tools are not supported here"
        )


def _definition(given: Mapping[str, Any], param: str) -> dict[str, Any]:
    name = string(given.get("name"), f"{param}.name")
    if not _NAME.fullmatch(name):
        raise invalid_value(f"{param}.name", name, "1 to 64 of the characters a-z, A-Z, 0-9, _ and -")
    if given.get("description") is not None:
        string(given["description"], f"{param}.description")
    if given.get("strict") is not None:
        boolean(given["strict"], f"{param}.strict")
    parameters: object = given.get("parameters")
    parameters = {} if parameters is None else mapping(parameters, f"{param}.parameters")
    kind = parameters.get("type", "object")
    if kind != "object":
        raise invalid_value(f"{param}.parameters.type", kind, "'object'")
    plain = {key: value for key, value in given.items() if value is not None}
    return {**plain, "parameters": parameters or {"type": "object", "properties": {}}}


def _choice(value: object) -> Literal["none", "auto", "required"] | _Named | _Allowed:
    if value is None:
        return "auto"
    if isinstance(value, str):
        if value not in ("none", "auto", "required"):
            raise invalid_value("tool_choice", value, _CHOICES)
        return value
    if not isinstance(value, dict):
        raise invalid_type("tool_choice", value, _CHOICES)
    found = cast("dict[str, Any]", value)
    kind = string(found.get("type"), "tool_choice.type")
    if kind == "allowed_tools":
        nested = found.get("allowed_tools") is not None
        param = "tool_choice.allowed_tools" if nested else "tool_choice"
        return _allowed(mapping(found["allowed_tools"], param) if nested else found, param)
    if kind != "function":
        raise unsupported_value("tool_choice.type", f"found {describe(kind)}; use 'function' or 'allowed_tools'")
    function = mapping(found.get("function"), "tool_choice.function")
    return _Named(string(function.get("name"), "tool_choice.function.name"))


def _allowed(found: Mapping[str, Any], param: str) -> _Allowed:
    """OpenAI puts mode and tools into an object for chat, and beside the type for responses."""
    mode = string(found.get("mode"), f"{param}.mode")
    if mode not in ("auto", "required"):
        raise invalid_value(f"{param}.mode", mode, "'auto' or 'required'")
    names: list[str] = []
    for index, item in enumerate(sequence(found.get("tools"), f"{param}.tools")):
        place = f"{param}.tools[{index}]"
        tool = mapping(item, place)
        _check_type(tool.get("type"), f"{place}.type")
        inner = mapping(tool["function"], f"{place}.function") if tool.get("function") is not None else tool
        names.append(string(inner.get("name"), f"{place}.function.name"))
    if not names:
        raise invalid_value(f"{param}.tools", names, "at least one tool")
    return _Allowed(mode, tuple(names))


def _only(
    names: tuple[str, ...], functions: dict[str, Function], tools: list[dict[str, Any]]
) -> tuple[dict[str, Function], list[dict[str, Any]]]:
    """The functions that can be called; the model sees no others."""
    for name in names:
        if name not in functions:
            raise invalid_value("tool_choice", name, "the names of tools in `tools`")
    allowed = frozenset(names)
    kept = [tool for tool in tools if tool["function"]["name"] in allowed]
    return {name: function for name, function in functions.items() if name in allowed}, kept


def _chosen(functions: dict[str, Function], choice: str | _Named | _Allowed) -> dict[str, Function]:
    if not isinstance(choice, _Named):
        return functions
    if choice.name not in functions:
        raise invalid_value("tool_choice.function.name", choice.name, "the name of one of the tools")
    return {choice.name: functions[choice.name]}


def _mode(model: Model, capabilities: Capabilities) -> str:
    if model.tools == "grammar" and not capabilities.takes_grammar:
        return "off"
    if model.tools == "off" or model.tools in _PARSERS:
        return model.tools
    rule = f"the person who deployed the model must set off, {', '.join(_PARSERS)}"
    raise ServiceError(500, f"the model's record has tools: {model.tools!r}; {rule}", "upstream_misconfigured")


def _without_tools(model: Model, body: Mapping[str, Any]) -> ToolUse:
    if model.unsupported_params == "drop":
        return ToolUse(dropped=tuple(name for name in ("tools", "tool_choice") if body.get(name) is not None))
    message = "this model does not support tools; leave them out, or set tool_choice to 'none'"
    raise RequestError(message, "unsupported_parameter", param="tools")
