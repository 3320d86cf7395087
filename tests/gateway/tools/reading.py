"""A whole text through a parser."""

from __future__ import annotations

from gateway_lambda.generation.answer_parser import AnswerParser
from gateway_lambda.generation.choice import TextAndCalls
from gateway_lambda.tools.gathered_calls import gather


def read_answer(text: str, parser: AnswerParser) -> TextAndCalls:
    """The answer that a whole text is. `parser` is a new one."""
    return gather([*parser.feed(text), *parser.finish()])
