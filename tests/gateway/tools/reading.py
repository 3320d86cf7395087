"""A whole text through a parser."""

from __future__ import annotations

from gateway_lambda.generation.choice import TextAndCalls
from gateway_lambda.tools.call_parser import CallParser
from gateway_lambda.tools.gathered_calls import gather


def read_answer(text: str, parser: CallParser) -> TextAndCalls:
    """The answer that a whole text is. `parser` is a new one."""
    return gather([*parser.feed(text), *parser.finish()])
