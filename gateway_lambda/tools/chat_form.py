"""The tools and the response format of a chat, in OpenAI's form, whichever dialect they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.generator import Generation, Generator
from gateway_lambda.generation.prompt import render_prompt
from gateway_lambda.generation.request import ChatRequest
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.tools.answer_format import has_format, read_format
from gateway_lambda.tools.request import ToolUse, read_tools

_OF_TOOLS = frozenset(("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"))


async def begin_chat(
    exchange: Exchange,
    request: ChatRequest,
    form: Mapping[str, Any],
    generator: Generator,
    read: Callable[..., ToolUse] = read_tools,
) -> Generation:
    """Read what depends on the upstream's version, and return the generation, which has not begun.

    `form` has the tools and the response format in the fields of a chat completion. `read` reads the tools. All checks
    that need no upstream come before the first request to it. From then on, the task ends if the client leaves. Raises
    `GatewayError`.
    """
    if _wants_form(form):
        _read_form(request, form, Capabilities(), read)
        exchange.watch()
        _read_form(request, form, await generator.ask_capabilities(), read)
    generation = generator.generation(request, render_prompt(generator.model, request), chat=True)
    exchange.watch()
    return generation


def _wants_form(form: Mapping[str, Any]) -> bool:
    """Whether there is a response format, or tools, which depend on the upstream's version."""
    return has_format(form) or any(form[name] is not None for name in _OF_TOOLS & form.keys())


def _read_form(
    request: ChatRequest, form: Mapping[str, Any], capabilities: Capabilities, read: Callable[..., ToolUse]
) -> None:
    """Read the response format and the tools for an upstream with these `capabilities`. Raises `RequestError`."""
    grammar, param = read_format(form, request.model, capabilities)
    tools = request.tools = read(form, request.model, capabilities, grammar, param)
    request.grammar = tools.grammar or grammar
    request.grammar_param = param or "tools"
    request.dropped += [name for name in tools.dropped if name not in request.dropped]
