"""`POST /responses` for a model of format tgi: translate, send, translate back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.errors import RequestError
from gateway_lambda.generation.generator import Generation, Generator
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.sent_names import SentNames
from gateway_lambda.generation.streaming import stream_answers
from gateway_lambda.generation.whole_answers import whole_answers
from gateway_lambda.responses.events import ResponseEvents
from gateway_lambda.responses.output_items import items_of
from gateway_lambda.responses.request import ResponseRequest, read_response
from gateway_lambda.responses.response_object import ResponseObject
from gateway_lambda.responses.sent_tools import sent_tools
from gateway_lambda.responses.tools import chat_form
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings
from gateway_lambda.tools.chat_form import begin_chat

_SENT = SentNames(
    (r"\b(tools\[\d+\])\.function\b", r"\1"),
    (r"\btool_choice\.function\b", "tool_choice"),
    (r"\bresponse_format\.json_schema\b", "text.format"),
    (r"\bresponse_format\b", "text.format"),
    (r"\bmessages\b", "input"),
)


async def create_response(
    exchange: Exchange, body: Mapping[str, Any], generator: Generator, settings: Settings
) -> None:
    """Answer a request for a response."""
    created = int(time.time())
    request = read_response(body, generator.model.record)
    try:
        generation = await begin_chat(exchange, request, chat_form(request, body), generator)
        await _answer(exchange, body, request, generation, created, settings)
    except RequestError as error:
        raise _SENT.at(request.turns.places).error(error) from None


async def _answer(
    exchange: Exchange,
    body: Mapping[str, Any],
    request: ResponseRequest,
    generation: Generation,
    created: int,
    settings: Settings,
) -> None:
    response = ResponseObject(body, request, created)
    tools = sent_tools(body)
    if request.stream:

        def make_events() -> ResponseEvents:
            return ResponseEvents(response, tools, summarizes=request.summarizes)

        await stream_answers(exchange, [generation], make_events, settings)
        return
    ((answer,),), prompt_tokens, completion_tokens = await whole_answers(exchange, [generation], 1)
    choice = answer.choice
    items = items_of(choice, tools, summarizes=request.summarizes)
    whole = response.ended(items, prompt_tokens, completion_tokens, cut=choice.finish == "length")
    await exchange.respond_json(msgspec.json.encode(whole), dropped_header(request))
