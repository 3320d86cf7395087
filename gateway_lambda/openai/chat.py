"""`POST /chat/completions` for a model of format tgi: translate, send, translate back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gateway_lambda.generation.generator import Generator
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.streaming import stream_answers
from gateway_lambda.generation.whole_answers import whole_answers
from gateway_lambda.openai.chat_request import read_chat
from gateway_lambda.openai.chunks import ChatChunks, chat_completion
from gateway_lambda.openai.functions import read_functions
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings
from gateway_lambda.tools.chat_form import begin_chat
from gateway_lambda.tools.request import read_tools


async def chat_completions(
    exchange: Exchange, body: Mapping[str, Any], generator: Generator, settings: Settings
) -> None:
    """Answer a chat request."""
    created = int(time.time())
    model = generator.model
    request = read_chat(body, model.record)
    read = read_functions if request.functions else read_tools
    generation = await begin_chat(exchange, request, body, generator, read)
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
    (answers,), prompt_tokens, completion_tokens = await whole_answers(exchange, [generation], request.n)
    await exchange.respond_json(
        chat_completion(
            model.record.name,
            created,
            generation.capabilities.fingerprint,
            [answer.choice for answer in answers],
            prompt_tokens,
            completion_tokens,
            functions=request.functions,
        ),
        dropped_header(request),
    )
