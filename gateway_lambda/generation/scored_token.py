"""A token with its log-probability as OpenAI's APIs show it (docs/translation.md#log-probabilities)."""

from __future__ import annotations

import msgspec

from gateway_lambda.generation.scores import Score


class _Likely(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None


class _Shown(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None
    top_logprobs: list[_Likely]


def scored_token(score: Score) -> msgspec.Struct:
    """Return a token with the likely tokens at its place."""
    top = [_Likely(text, logprob, _bytes(text)) for text, logprob in score.top]
    return _Shown(score.text, score.logprob, _bytes(score.text), top)


def _bytes(text: str) -> tuple[int, ...] | None:
    return tuple(text.encode()) if text else None
