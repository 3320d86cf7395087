"""`POST /chat/completions` for a model of format tgi: translate, send, translate back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.gather_all import gather_all
from gateway_lambda.generation.generator import Generator
from gateway_lambda.generation.prompt import render_prompt
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.streaming import stream_answers
from gateway_lambda.openai.chat_request import read_chat, read_form, wants_form
from gateway_lambda.openai.chunks import ChatChunks, chat_completion
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings


async def chat_completions(
    exchange: Exchange, body: Mapping[str, Any], generator: Generator, settings: Settings
) -> None:
    """Answer a chat request. All checks that need no upstream come before the first request to it."""
    created = int(time.time())
    model = generator.model
    request = read_chat(body, model.record)
    if wants_form(body):
        read_form(request, body, Capabilities())
        exchange.watch()
        read_form(request, body, await generator.ask_capabilities())
    generation = generator.generation(request, render_prompt(model, request), chat=True)
    exchange.watch()
    if request.stream:

        def chunks() -> ChatChunks:
            fingerprint = generation.capabilities.fingerprint
            return ChatChunks(
                model.record.name,
                created,
                fingerprint,
                request.n,
                usage=request.include_usage,
                functions=request.functions,
            )

        await stream_answers(exchange, [generation], chunks, settings)
        return
    answers = await gather_all([generation.whole(index) for index in range(request.n)])
    prompt_tokens = await generation.count_prompt()
    await exchange.respond_json(
        chat_completion(
            model.record.name,
            created,
            generation.capabilities.fingerprint,
            [answer.choice for answer in answers],
            prompt_tokens,
            sum(answer.choice.tokens for answer in answers),
            functions=request.functions,
        ),
        dropped_header(request),
    )
