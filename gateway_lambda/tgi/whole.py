"""A whole answer of `/generate` as a choice: its text, why it ended, how many tokens it took (translation.md §5)."""

from __future__ import annotations

import msgspec

from gateway_lambda.tgi.answer import Answer, Finish, finish_of
from gateway_lambda.tgi.replies import Details, Generated, Token, decode_answer_tokens
from gateway_lambda.tgi.stops import Stops


class Choice(msgspec.Struct):
    """One of a request's answers. `tokens` counts up to and including the one that ended it."""

    text: str
    finish: Finish
    tokens: int


def read_choice(generated: Generated, stops: Stops, limit: int | None) -> Choice:
    """The choice that an upstream's answer makes.

    `generated_text` is the text, unless it is empty although the tokens are not (an answer that is cut inside a
    character), or has to be cut at `limit` tokens, or goes on behind a control token that ends it.
    """
    text, details = generated.generated_text, generated.details
    if details is None:
        cut = stops.find(text)
        return Choice(text if cut < 0 else text[:cut], "stop", 0)
    cut = stops.find(text)
    count = details.generated_tokens
    if text and cut < 0 and (limit is None or count <= limit) and not _has_control_token(details):
        return Choice(text, finish_of(details.finish_reason), count)
    answer, told = _tell(decode_answer_tokens(details), details.finish_reason, stops, limit)
    if cut >= 0 and not (limit is not None and count > limit):
        return Choice(text[:cut], "stop", answer.tokens or count)
    if answer.finish is None:
        return Choice(text, finish_of(details.finish_reason), count)
    if not text or answer.tokens < count:
        return Choice(told, answer.finish, answer.tokens)
    return Choice(text, answer.finish, count)


def _tell(tokens: list[Token], reason: str, stops: Stops, limit: int | None) -> tuple[Answer, str]:
    answer = Answer(stops, limit)
    shown: list[str] = []
    last = len(tokens) - 1
    for index, token in enumerate(tokens):
        shown.append(answer.take(token.text, token.special, reason if index == last else None))
        if answer.finish is not None:
            break
    return answer, "".join(shown)


def _has_control_token(details: Details) -> bool:
    """Whether one may matter: any but the last, or the last where the answer's length ended it. Looks, undecoded."""
    tokens = bytes(details.tokens)
    at = tokens.find(b"true")
    return at >= 0 and (details.finish_reason == "length" or at < tokens.rfind(b"{"))
