"""`POST /completions` for a model of format tgi (docs/translation.md#legacy-completions)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.choice import Choice
from gateway_lambda.generation.gather_all import gather_all
from gateway_lambda.generation.generator import Generation, Generator
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.streaming import stream_answers
from gateway_lambda.openai.completion_chunks import CompletionChunks, completion
from gateway_lambda.openai.completion_request import CompletionRequest, read_completion, read_completion_format
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
    generations = [generator.generation(request, prompt, chat=False) for prompt in request.prompts]
    echoed = [prompt if request.echo else "" for prompt in request.prompts for _ in range(request.n)]
    name, top = record.name, request.top_logprobs
    exchange.watch()
    if request.stream:

        def chunks() -> CompletionChunks:
            fingerprint = generations[0].capabilities.fingerprint
            return CompletionChunks(name, created, fingerprint, echoed, usage=request.include_usage, top=top)

        await stream_answers(exchange, generations, chunks, settings)
        return
    answers = await gather_all([_best(generation, request) for generation in generations])
    choices = [choice for best, _ in answers for choice in best]
    prompt_tokens = sum([await generation.count_prompt() for generation in generations])
    usage = (prompt_tokens, sum(tokens for _, tokens in answers))
    fingerprint = generations[0].capabilities.fingerprint
    whole = completion(name, created, fingerprint, list(zip(echoed, choices, strict=True)), usage, top)
    await exchange.respond_json(whole, dropped_header(request))


async def _best(generation: Generation, request: CompletionRequest) -> tuple[list[Choice], int]:
    """Return the choices of a prompt (the most likely ones, if there are more), and the tokens of all answers."""
    made = await gather_all([generation.whole(index) for index in range(request.best_of or request.n)])
    if len(made) > request.n:
        made.sort(key=lambda answer: answer.likelihood, reverse=True)
    return [answer.choice for answer in made[: request.n]], sum(answer.choice.tokens for answer in made)
