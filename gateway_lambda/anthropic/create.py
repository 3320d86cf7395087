"""`POST /messages` and `/messages/count_tokens` for a model of format tgi: translate, send, translate back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_lambda.anthropic.events import MessageEvents
from gateway_lambda.anthropic.message import whole_message
from gateway_lambda.anthropic.request import MessagesRequest, read_messages
from gateway_lambda.anthropic.tools import chat_form
from gateway_lambda.errors import RequestError
from gateway_lambda.generation.generator import Generation, Generator
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.sent_names import SentNames
from gateway_lambda.generation.streaming import stream_answers
from gateway_lambda.generation.whole_answers import whole_answers
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings
from gateway_lambda.tools.chat_form import begin_chat

_SENT = SentNames(
    (r"\b(tools\[\d+\])\.function\.parameters\b", r"\1.input_schema"),
    (r"\b(tools\[\d+\])\.function\b", r"\1"),
    (r"\btool_choice\.function\b", "tool_choice"),
    (r"\bresponse_format\.json_schema\b", "output_config.format"),
    (r"\bresponse_format\b", "output_config.format"),
)


async def create_message(exchange: Exchange, body: Mapping[str, Any], generator: Generator, settings: Settings) -> None:
    """Answer a request for a message."""
    request = read_messages(body, generator.model.record)
    try:
        await _answer(exchange, request, await _begin(exchange, body, request, generator), settings)
    except RequestError as error:
        raise _SENT.at(request.turns.places).error(error) from None


async def count_message_tokens(
    exchange: Exchange, body: Mapping[str, Any], generator: Generator, settings: Settings
) -> None:
    """Answer how many tokens the prompt of a request has, counted by the model's own tokenizer."""
    request = read_messages(body, generator.model.record, counts=True)
    try:
        generation = await _begin(exchange, body, request, generator)
        found = {"input_tokens": await generation.measure_prompt()}
    except RequestError as error:
        raise _SENT.at(request.turns.places).error(error) from None
    await exchange.respond_json(msgspec.json.encode(found), dropped_header(request))


async def _begin(
    exchange: Exchange, body: Mapping[str, Any], request: MessagesRequest, generator: Generator
) -> Generation:
    return await begin_chat(exchange, request, chat_form(request, body), generator)


async def _answer(exchange: Exchange, request: MessagesRequest, generation: Generation, settings: Settings) -> None:
    if request.stream:
        await stream_answers(exchange, [generation], lambda: MessageEvents(request, exchange.request_id), settings)
        return
    ((answer,),), prompt_tokens, _ = await whole_answers(exchange, [generation], 1)
    message = whole_message(request, answer.choice, prompt_tokens)
    await exchange.respond_json(msgspec.json.encode(message), dropped_header(request))
