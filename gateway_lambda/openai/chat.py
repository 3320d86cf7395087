"""`POST /chat/completions` for a model of format tgi: translate, ask, translate back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from gateway_lambda.exchange import Exchange
from gateway_lambda.openai.chat_request import read_chat
from gateway_lambda.openai.chunks import ChatChunks, chat_choice, chat_completion
from gateway_lambda.openai.prompt import render_prompt
from gateway_lambda.openai.request import dropped_header
from gateway_lambda.openai.streaming import stream_answers
from gateway_lambda.runs import ReadyModel, Run
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.client import TgiClient
from gateway_lambda.tgi.generation import Generation
from gateway_lambda.tgi.whole import Choice


async def chat_completions(
    exchange: Exchange, body: Mapping[str, Any], run: Run, model: ReadyModel, client: TgiClient, settings: Settings
) -> None:
    """Answer a chat request. Whatever can be checked is checked before anything is asked of the upstream."""
    created = int(time.time())
    request = read_chat(body, model.record)
    generation = Generation(run, model, client, request, render_prompt(model, request), strips_bos=True)
    exchange.watch()
    if request.stream:

        def chunks() -> ChatChunks:
            fingerprint = generation.facts.fingerprint
            return ChatChunks(model.record.name, created, fingerprint, request.n, usage=request.include_usage)

        await stream_answers(exchange, [generation], chunks, settings)
        return
    choices = await whole_answers(generation)
    prompt_tokens = await generation.count_prompt()
    await exchange.respond_json(
        chat_completion(
            model.record.name,
            created,
            generation.facts.fingerprint,
            [chat_choice(index, choice.text, choice.finish) for index, choice in enumerate(choices)],
            prompt_tokens,
            sum(choice.tokens for choice in choices),
        ),
        dropped_header(request),
    )


async def whole_answers(generation: Generation) -> list[Choice]:
    """All choices of a generation, in order. One that fails ends the others and is raised."""
    if generation.request.n == 1:
        return [await generation.whole(0)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(generation.whole(index)) for index in range(generation.request.n)]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
