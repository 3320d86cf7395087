"""What tools, tool_choice and parallel_tool_calls come to (docs/translation.md#tools)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from gateway_lambda.errors import RequestError, ServiceError
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.registry.record import Model
from gateway_lambda.tools.request import ToolUse, read_tools
from tests.gateway.tools.reading import read_answer
from tests.gateway.tools.values import choices, json_values, tools

NEW = Capabilities(version=(3, 3, 6))
OLDER = Capabilities(version=(2, 4, 1))
OLD = Capabilities(version=(1, 4, 0))
MODEL = Model(name="m")
OFF = Model(name="m", tools="off")

CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
F: dict[str, Any] = {"type": "function", "function": {"name": "f", "description": "d", "parameters": CITY}}
G: dict[str, Any] = {"type": "function", "function": {"name": "g"}}
G_FILLED = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}
NAMED = {"type": "function", "function": {"name": "g"}}
BOTH = frozenset(("f", "g"))


def choice_of(name: str, arguments: object, key: str = "arguments") -> dict[str, Any]:
    return {"type": "object", "properties": {"name": {"const": name}, key: arguments}, "required": ["name", key]}


def grammar_of(*options: dict[str, Any], **more: object) -> dict[str, Any]:
    function = {"function": {"anyOf": list(options)}}
    return {"type": "json", "value": {"type": "object", "properties": function, "required": ["function"], **more}}


CALL_F = choice_of("f", CITY)
CALL_G = choice_of("g", {"type": "object", "properties": {}})


@pytest.mark.parametrize(
    ("body", "model", "use"),
    [
        ({}, MODEL, ToolUse()),
        ({"tools": None, "tool_choice": None, "parallel_tool_calls": None}, MODEL, ToolUse()),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, MODEL, ToolUse()),
        ({"tools": []}, OFF, ToolUse()),
        ({"tool_choice": "none"}, OFF, ToolUse()),
        ({"tools": [F], "tool_choice": "none"}, OFF, ToolUse()),
        ({"tools": [F], "tool_choice": "none"}, MODEL, ToolUse(tools=[F])),
        ({"tools": [F, G]}, MODEL, ToolUse(tools=[F, G_FILLED], syntax="any", names=BOTH)),
        (
            {"tools": [F], "tool_choice": "auto", "parallel_tool_calls": False},
            Model(name="m", tools="mistral"),
            ToolUse(tools=[F], syntax="mistral", names=frozenset("f"), parallel=False),
        ),
        (
            {"tools": [F, G], "tool_choice": "required"},
            MODEL,
            ToolUse(tools=[F, G_FILLED], grammar=grammar_of(CALL_F, CALL_G), syntax="forced", names=BOTH),
        ),
        (
            {"tools": [F, G], "tool_choice": NAMED},
            Model(name="m", tools="hermes"),
            ToolUse(tools=[F, G_FILLED], grammar=grammar_of(CALL_G), syntax="forced", names=frozenset("g")),
        ),
    ],
)
def test_a_request_with_tools_comes_to(body: dict[str, Any], model: Model, use: ToolUse) -> None:
    assert read_tools(body, model, NEW) == use


def test_a_template_sees_no_nulls_and_keys_of_the_clients_own() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": None, "strict": None, "x": 1}}
    assert read_tools({"tools": [tool]}, MODEL, NEW).tools == [
        {"type": "function", "function": {"name": "f", "x": 1, "parameters": {"type": "object", "properties": {}}}}
    ]


def test_routers_that_sort_keys_get_a_name_that_sorts_before_what_it_decides() -> None:
    use = read_tools({"tools": [G], "tool_choice": "required"}, MODEL, OLDER)
    assert use.grammar == grammar_of(choice_of("g", {"type": "object", "properties": {}}, "parameters"))


def _with(**function: object) -> dict[str, Any]:
    return {"tools": [G, {"type": "function", "function": {"name": "f", **function}}], "tool_choice": "required"}


@pytest.mark.parametrize(
    ("body", "model", "capabilities", "param", "code"),
    [
        ({"tool_choice": "required"}, MODEL, NEW, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, OFF, NEW, "tool_choice", "invalid_value"),
        ({"tools": [], "tool_choice": NAMED}, MODEL, NEW, "tool_choice", "invalid_value"),
        ({"tools": [F]}, OFF, NEW, "tools", "unsupported_parameter"),
        ({"tools": [F], "tool_choice": "auto"}, OFF, NEW, "tools", "unsupported_parameter"),
        ({"tools": [F], "tool_choice": "required"}, OFF, NEW, "tools", "unsupported_parameter"),
        ({"tools": [F]}, MODEL, OLD, "tools", "unsupported_parameter"),
        (
            {"tools": [F], "tool_choice": "required"},
            Model(name="m", tools="hermes"),
            OLD,
            "tool_choice",
            "unsupported_value",
        ),
        ({"tools": {}}, MODEL, NEW, "tools", "invalid_type"),
        ({"tools": [F] * 129}, MODEL, NEW, "tools", "invalid_value"),
        ({"tools": ["f"]}, MODEL, NEW, "tools[0]", "invalid_type"),
        ({"tools": [F, {}]}, MODEL, NEW, "tools[1].type", "invalid_type"),
        ({"tools": [{"type": "custom", "custom": {}}]}, MODEL, NEW, "tools[0].type", "unsupported_value"),
        ({"tools": [{"type": "function"}]}, MODEL, NEW, "tools[0].function", "invalid_type"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            MODEL,
            NEW,
            "tools[0].function.name",
            "invalid_type",
        ),
        (_with(name="a b"), MODEL, NEW, "tools[1].function.name", "invalid_value"),
        (_with(name=""), MODEL, NEW, "tools[1].function.name", "invalid_value"),
        (_with(name="x" * 65), MODEL, NEW, "tools[1].function.name", "invalid_value"),
        (_with(name="g"), MODEL, NEW, "tools[1].function.name", "invalid_value"),
        (_with(description=1), MODEL, NEW, "tools[1].function.description", "invalid_type"),
        (_with(strict="yes"), MODEL, NEW, "tools[1].function.strict", "invalid_type"),
        (_with(parameters=[]), MODEL, NEW, "tools[1].function.parameters", "invalid_type"),
        (_with(parameters={"type": "array"}), MODEL, NEW, "tools[1].function.parameters.type", "invalid_value"),
        (
            _with(parameters={"properties": {"a": {"$ref": "#"}}}),
            MODEL,
            NEW,
            "tools[1].function.parameters",
            "unsupported_value",
        ),
        (
            _with(parameters={"properties": {"a": {"$ref": "https://example.com/s.json"}}}),
            MODEL,
            NEW,
            "tools[1].function.parameters",
            "unsupported_value",
        ),
        ({"tools": [F], "tool_choice": 1}, MODEL, NEW, "tool_choice", "invalid_type"),
        ({"tools": [F], "tool_choice": "any"}, MODEL, NEW, "tool_choice", "invalid_value"),
        ({"tool_choice": "any"}, MODEL, NEW, "tool_choice", "invalid_value"),
        ({"tools": [F], "tool_choice": {}}, MODEL, NEW, "tool_choice.type", "invalid_type"),
        (
            {"tools": [F], "tool_choice": {"type": "custom", "custom": {"name": "f"}}},
            MODEL,
            NEW,
            "tool_choice.type",
            "unsupported_value",
        ),
        (
            {"tools": [F], "tool_choice": {"type": "function", "name": "f"}},
            MODEL,
            NEW,
            "tool_choice.function",
            "invalid_type",
        ),
        (
            {"tools": [F], "tool_choice": {"type": "function", "function": {}}},
            MODEL,
            NEW,
            "tool_choice.function.name",
            "invalid_type",
        ),
        ({"tools": [F], "tool_choice": NAMED}, MODEL, NEW, "tool_choice.function.name", "invalid_value"),
        ({"tools": [F], "parallel_tool_calls": 1}, MODEL, NEW, "parallel_tool_calls", "invalid_type"),
    ],
)
def test_what_is_wrong_with_tools_is_named_by_its_path(
    body: dict[str, Any], model: Model, capabilities: Capabilities, param: str, code: str
) -> None:
    with pytest.raises(RequestError) as refused:
        read_tools(body, model, capabilities)
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, param, code)


def test_tools_are_dropped_where_the_record_drops_what_is_unsupported() -> None:
    model = Model(name="m", tools="off", unsupported_params="drop")
    assert read_tools({"tools": [F]}, model, NEW) == ToolUse(dropped=("tools",))
    assert read_tools({"tools": [F], "tool_choice": "required"}, model, NEW) == ToolUse(
        dropped=("tools", "tool_choice")
    )


def test_a_record_with_a_parser_that_there_is_not_is_no_fault_of_the_caller() -> None:
    names = (
        "off, grammar, hermes, llama3, mistral, deepseek, dsml, function, functools, glm, granite, kimi, lfm2, "
        "minimax, nemotron, pythonic, qwen_coder, seed, xlam"
    )
    with pytest.raises(ServiceError, match=f"must set {names}$"):
        read_tools({"tools": [F]}, Model(name="m", tools="cobol"), NEW)


def test_the_template_names_the_syntax_unless_the_record_does() -> None:
    template = "{{ tools }}<tool_call>\n<function="
    by_template = read_tools({"tools": [F]}, Model(name="m", chat_template=template), NEW)
    assert by_template == ToolUse(tools=[F], syntax="any", in_template="qwen_coder", names=frozenset("f"))
    by_record = read_tools({"tools": [F]}, Model(name="m", chat_template=template, tools="glm"), NEW)
    text = "<tool_call>f\n<arg_key>city</arg_key><arg_value>5</arg_value></tool_call>"
    for use, made in ((by_template, []), (by_record, [("f", '{"city": "5"}')])):
        parser = use.parser()
        assert parser is not None
        assert [(call.name, call.arguments) for call in read_answer(text, parser).calls] == made
    bare = by_template.parser()
    assert bare is not None
    assert read_answer('{"name": "f", "arguments": {}}', bare).calls


@given(tools, choices, json_values)
def test_any_value_gives_a_use_of_tools_or_an_error_that_names_it(
    given_tools: object, choice: object, parallel: object
) -> None:
    body = {"tools": given_tools, "tool_choice": choice, "parallel_tool_calls": parallel}
    found = [
        _outcome(body, model, capabilities)
        for model in (MODEL, OFF, Model(name="m", tools="llama3"))
        for capabilities in (NEW, OLD)
    ]
    assert [
        outcome for outcome in found if not outcome.startswith(("200 ", "400 tool", "400 parallel_tool_calls"))
    ] == []


def _outcome(body: dict[str, Any], model: Model, capabilities: Capabilities) -> str:
    try:
        return f"200 {read_tools(body, model, capabilities)}"
    except RequestError as refused:
        return f"{refused.status} {refused.param}"
