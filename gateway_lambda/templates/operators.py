"""The operators of templates whose result may be much larger than what they are given, and formatting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sized
from typing import Any, Final

from gateway_lambda.templates.bounds import MAX_REPETITION, MAX_WIDTH, RenderContext, check_size
from gateway_lambda.templates.errors import TemplateLimit
from gateway_lambda.templates.printing import text_of

_MAX_INTEGER_BITS: Final = 4096
_DIGITS_OF_TOO_WIDE: Final = 5
_WIDE_FIELD: Final = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\d{5}|\*|\d*\.(?:\d{5}|\*))|\{[^{}]*:[^{}]*(?:\d{5}|\{)")
_FIELD: Final = re.compile(r"%[^%]|\{")
_NUMBER: Final = re.compile(r"\d+")


def add(context: RenderContext, left: Any, right: Any) -> Any:
    """`+`, its texts and lists counted."""
    result = left + right
    if type(result) is str or (type(result) is not int and isinstance(result, Sized)):
        context.spend(len(result))
    return result


def multiply(context: RenderContext, left: Any, right: Any) -> Any:
    """`*`, refused where it repeats beyond `MAX_REPETITION` or makes an integer of thousands of digits."""
    for items, count in ((left, right), (right, left)):
        if isinstance(items, Sized) and isinstance(count, int):
            size = len(items) * max(count, 0)
            if size > MAX_REPETITION:
                raise TemplateLimit(f"the chat template repeats to {size} items; {MAX_REPETITION} are allowed")
            context.spend(size)
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_INTEGER_BITS:
        raise TemplateLimit(f"the chat template multiplies integers beyond {_MAX_INTEGER_BITS} bits")
    return left * right


def power(_context: RenderContext, _left: Any, _right: Any) -> Any:
    """`**` never runs."""
    raise TemplateLimit("the chat template uses **, which is not allowed")


def percent(context: RenderContext, left: Any, right: Any) -> Any:
    """`%`, whose formatting of texts is bounded like `str.format`."""
    if isinstance(left, str):
        context.spend(formatted_size(left, (right,)))
    return left % right


OPERATORS: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {"+": add, "*": multiply, "%": percent, "**": power}
"""Each takes the rendering's context first."""


def joined(context: RenderContext, values: Iterable[Any]) -> str:
    """The operator `~`."""
    texts = [text_of(value) for value in values]
    context.spend(sum(map(len, texts)))
    return "".join(texts)


def formatted_size(text: str, arguments: Iterable[Any]) -> int:
    """How long a format string's result can get when each field prints all arguments. Raises `TemplateLimit`."""
    if _WIDE_FIELD.search(text):
        raise TemplateLimit(f"the chat template formats with a width beyond {MAX_WIDTH}, or one computed")
    longest = sum(len(text_of(argument)) for argument in arguments)
    widths = sum(int(number) for number in _NUMBER.findall(text) if len(number) < _DIGITS_OF_TOO_WIDE)
    size = len(text) + widths + len(_FIELD.findall(text)) * longest
    check_size(size)
    return size
