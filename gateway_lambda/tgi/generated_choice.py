"""A whole answer of `/generate` as a choice: its text, its end, its tokens (docs/translation.md#whole-answers)."""

from __future__ import annotations

from gateway_lambda.generation.answer_parser import AnswerParser
from gateway_lambda.generation.choice import Choice
from gateway_lambda.generation.deltas import Delta
from gateway_lambda.generation.scores import Score, Scores, known
from gateway_lambda.generation.shown_text import ShownText
from gateway_lambda.generation.stops import Stops
from gateway_lambda.tgi.replies import Details, Generated, decode_answer_tokens, decode_top_tokens
from gateway_lambda.tools.gathered_calls import gather, gather_reasoning


def read_choice(
    generated: Generated,
    stops: Stops,
    limit: int | None,
    top: int | None = None,
    parser: AnswerParser | None = None,
) -> Choice:
    """Return the choice in an upstream's answer.

    Its text is `generated_text`, or the texts of the tokens in three cases: `generated_text` is empty although the
    tokens are not (the answer is cut inside a character); it has more than `limit` tokens; it goes on after a control
    token that ends it. `top`: how many likely tokens a score has; None: no scores. `parser` tells reasoning and
    calls of tools from content.
    """
    text, details = generated.generated_text, generated.details
    cut = stops.find(text)
    if details is None:
        said = text if cut < 0 else text[:cut]
        stop = None if cut < 0 else stops.starting_at(text, cut)
        return _with_calls(Choice(said, "stop", 0, stop=stop), [] if parser is None else parser.feed(said), parser)
    count = details.generated_tokens
    too_long = limit is not None and count > limit
    by_tokens = top is not None or parser is not None or too_long or cut >= 0 or not text
    if not by_tokens and not _has_control_token(details):
        return Choice(text, details.finish, count)
    told, deltas = _tell(details, stops, limit, top, parser)
    if cut >= 0 and not too_long:
        stop = stops.starting_at(text, cut)
        told = Choice(text[:cut], "stop", told.tokens or count, told.scores, stop=stop)
    elif text and told.tokens >= count:
        told = Choice(text, told.finish, count, told.scores, stop=told.stop)
    return _with_calls(told, deltas, parser)


def mean_logprob(generated: Generated) -> float:
    """Return how likely an answer is, by the measure of TGI for `best_of`."""
    tokens = decode_answer_tokens(generated.details) if generated.details else []
    return sum(known(token.logprob) for token in tokens) / len(tokens) if tokens else known(None)


def _tell(
    details: Details, stops: Stops, limit: int | None, top: int | None, parser: AnswerParser | None
) -> tuple[Choice, list[Delta]]:
    """The choice by its tokens alone, and what the parser made of them."""
    told, scores = ShownText(stops, limit), Scores(top or 0)
    tokens = decode_answer_tokens(details)
    tops = [] if top is None else decode_top_tokens(details)
    text: list[str] = []
    found: list[Score] = []
    deltas: list[Delta] = []
    last = len(tokens) - 1
    for index, token in enumerate(tokens):
        shown = told.take(token.text, token.special, details.finish if index == last else None)
        text.append(shown)
        if top is not None:
            found += scores.taken(token, tops[index] if index < len(tops) else None, shown)
        if parser is not None:
            deltas += parser.feed(shown)
            deltas += parser.mark(token.text) if token.special else ()
        if told.finish is not None:
            break
    finish = told.finish or details.finish
    count = told.tokens if tokens else details.generated_tokens
    return Choice("".join(text), finish, count, None if top is None else found, stop=told.stop), deltas


def _with_calls(choice: Choice, deltas: list[Delta], parser: AnswerParser | None) -> Choice:
    if parser is not None:
        deltas = [*deltas, *parser.finish()]
        called = gather(deltas)
        choice.reasoning = gather_reasoning(deltas)
        choice.called = called if called.calls else None
        if choice.called is None and parser.unwraps:
            choice.text = called.content or ""
    return choice


def _has_control_token(details: Details) -> bool:
    """Whether one may matter: any but the last, or the last where the answer's length ended it. Looks, undecoded."""
    tokens = bytes(details.tokens)
    at = tokens.find(b"true")
    return at >= 0 and (details.finish_reason == "length" or at < tokens.rfind(b"{"))
