"""The whole answers of one request, and what they cost (docs/translation.md#whole-answers)."""

from __future__ import annotations

from gateway_lambda.generation.gather_all import gather_all
from gateway_lambda.generation.generator import Answered, Generation
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.recorded import Usage


async def whole_answers(
    exchange: Exchange, generations: list[Generation], count: int
) -> tuple[list[list[Answered]], int, int]:
    """Return `count` answers of each generation, the tokens of all prompts, and the tokens of all answers.

    Raises `GatewayError`.
    """
    answers = await gather_all([_answers(generation, count) for generation in generations])
    prompt_tokens = sum([await generation.count_prompt() for generation in generations])
    completion_tokens = sum([answer.choice.tokens for each in answers for answer in each])
    exchange.usage = Usage(prompt_tokens or None, completion_tokens or None)
    return answers, prompt_tokens, completion_tokens


async def _answers(generation: Generation, count: int) -> list[Answered]:
    return await gather_all([generation.whole(index) for index in range(count)])
