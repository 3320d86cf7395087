"""`POST /completions` for a model of format tgi (docs/translation.md#legacy-completions)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.choice import Choice
from gateway_lambda.generation.generator import Answered, Generation, Generator
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.streaming import stream_answers
from gateway_lambda.generation.whole_answers import whole_answers
from gateway_lambda.openai.completion_chunks import CompletionChunks, completion
from gateway_lambda.openai.completion_request import read_completion, read_completion_format
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.settings import Settings
from gateway_lambda.tools.answer_format import has_format


async def completions(exchange: Exchange, body: Mapping[str, Any], generator: Generator, settings: Settings) -> None:
    """Answer a completion request. Choice `k` of prompt `p` has the index `p·n + k`."""
    created = int(time.time())
    record = generator.model.record
    request = read_completion(body, record)
    if has_format(body):
        read_completion_format(request, body, Capabilities())
        exchange.watch()
        read_completion_format(request, body, await generator.ask_capabilities())
    generations: list[Generation] = [generator.generation(request, prompt, chat=False) for prompt in request.prompts]
    echoed = [prompt if request.echo else "" for prompt in request.prompts for _ in range(request.n)]
    name, top = record.name, request.top_logprobs
    exchange.watch()
    if request.stream:

        def chunks() -> CompletionChunks:
            fingerprint = generations[0].capabilities.fingerprint
            return CompletionChunks(name, created, fingerprint, echoed, usage=request.include_usage, top=top)

        await stream_answers(exchange, generations, chunks, settings)
        return
    answers, prompt_tokens, completion_tokens = await whole_answers(exchange, generations, request.best_of or request.n)
    usage = (prompt_tokens, completion_tokens)
    choices = [choice for made in answers for choice in _best(made, request.n)]
    fingerprint = generations[0].capabilities.fingerprint
    whole = completion(name, created, fingerprint, list(zip(echoed, choices, strict=True)), usage, top)
    await exchange.respond_json(whole, dropped_header(request))


def _best(made: list[Answered], count: int) -> list[Choice]:
    """Return the choices of a prompt: the most likely ones, if there are more."""
    if len(made) > count:
        made = sorted(made, key=lambda answer: answer.likelihood, reverse=True)
    return [answer.choice for answer in made[:count]]
