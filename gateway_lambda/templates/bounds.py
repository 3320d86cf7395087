"""How much one rendering may cost, and the operations that could cost more, bounded.

A template is written by whoever deploys the service, so these limits are there to contain accidents and bombs, not
to meter honest templates: those stay orders of magnitude below them. What grows a value beyond what could ever be
rendered is refused before it is computed; loops count their steps.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sized
from typing import Any, Final

from jinja2.runtime import Context

from gateway_lambda.templates.errors import TemplateLimit

MAX_OUTPUT_BYTES: Final = 1_800_000
"""UTF-8 bytes of a rendered prompt: TGI refuses bodies above 2,000,000 bytes since 2.4.1."""
MAX_VALUE: Final = 2_000_000
"""Characters or items of one value an operator may build: more than a prompt can hold."""
MAX_REPETITION: Final = 1_000_000
"""Characters or items that `*` may build."""
MAX_RANGE: Final = 10_000
MAX_WIDTH: Final = 10_000
"""Width, precision, indentation or count that a formatting operation takes."""
MAX_STEPS: Final = 2_000_000
"""Loop iterations and macro calls: a thousand for each of 2,048 messages."""
MAX_SPENT: Final = 256_000_000
"""Characters that all operations of one rendering may build together."""
MAX_SECONDS: Final = 1.0
"""CPU time of one rendering. It holds up every other request meanwhile; honest ones take less than a thousandth."""
_MAX_INTEGER_BITS: Final = 4096
_STEPS_BETWEEN_CLOCKS: Final = 1024
_DIGITS_OF_TOO_WIDE: Final = 5
_WIDE_FIELD: Final = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\d{5}|\*|\d*\.(?:\d{5}|\*))|\{[^{}]*:[^{}]*(?:\d{5}|\{)")
_FIELD: Final = re.compile(r"%[^%]|\{")
_NUMBER: Final = re.compile(r"\d+")


class RenderContext(Context):
    """Jinja's context of one rendering, with what that rendering has used so far."""

    steps = 0
    spent = 0
    _started: float | None = None

    def step(self) -> None:
        """Count a loop iteration or a macro call; compiled templates call it."""
        self.steps += 1
        if self.steps % _STEPS_BETWEEN_CLOCKS == 0:
            self._check_clock()

    def spend(self, size: int) -> None:
        """Count `size` characters or items that an operation is about to build, or has built."""
        self.spent += size
        check_size(size)
        if self.spent > MAX_SPENT:
            raise TemplateLimit(f"the chat template builds more than {MAX_SPENT} characters on the way")

    def joined(self, values: tuple[Any, ...]) -> str:
        """Jinja's `~`."""
        texts = [str(value) for value in values]
        self.spend(sum(map(len, texts)))
        return "".join(texts)

    def _check_clock(self) -> None:
        now = time.thread_time()
        if self._started is None:
            self._started = now
        if self.steps > MAX_STEPS:
            raise TemplateLimit(f"the chat template loops more than {MAX_STEPS} times")
        if now - self._started > MAX_SECONDS:
            raise TemplateLimit(f"the chat template renders for more than {MAX_SECONDS:g} s")


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


def percent(context: RenderContext, left: Any, right: Any) -> Any:
    """`%`, whose formatting of texts is bounded like `str.format`."""
    if isinstance(left, str):
        check_formatting(context, left, (right,))
    return left % right


def power(_context: RenderContext, _left: Any, _right: Any) -> Any:
    """`**` never runs."""
    raise TemplateLimit("the chat template uses **, which is not allowed")


OPERATORS: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {"+": add, "*": multiply, "%": percent, "**": power}
"""Operators that may build more than they are given; each takes the rendering's context first."""


def check_formatting(context: RenderContext | None, text: str, arguments: Iterable[Any]) -> None:
    """Refuse a format string whose result could be large: each of its fields might print all the arguments."""
    if _WIDE_FIELD.search(text):
        raise TemplateLimit(f"the chat template formats with a width beyond {MAX_WIDTH}, or one computed")
    longest = sum(len(str(argument)) for argument in arguments)
    widths = sum(int(number) for number in _NUMBER.findall(text) if len(number) < _DIGITS_OF_TOO_WIDE)
    size = len(text) + widths + len(_FIELD.findall(text)) * longest
    check_size(size)
    if context is not None:
        context.spend(size)


def check_width(width: Any) -> None:
    """Refuse a width, precision or count beyond `MAX_WIDTH`."""
    if isinstance(width, (int, float)) and not -MAX_WIDTH <= width <= MAX_WIDTH:
        raise TemplateLimit(f"the chat template asks for a width of {width:.3g}; {MAX_WIDTH} are allowed")


def check_size(size: int) -> None:
    """Refuse a value of more than `MAX_VALUE` characters or items."""
    if size > MAX_VALUE:
        raise TemplateLimit(f"the chat template builds a value of {size} characters; {MAX_VALUE} are allowed")
