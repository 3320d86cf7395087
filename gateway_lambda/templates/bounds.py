"""How much one rendering may cost, and the operations that could cost more, bounded.

A template is written by whoever deploys the service, so these limits are there to contain accidents and bombs, not
to meter honest templates: those stay orders of magnitude below them. What grows a value beyond what could ever be
rendered is refused before it is computed; loops count their steps.
"""

from __future__ import annotations

import time
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
_STEPS_BETWEEN_CLOCKS: Final = 1024


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

    def _check_clock(self) -> None:
        now = time.thread_time()
        if self._started is None:
            self._started = now
        if self.steps > MAX_STEPS:
            raise TemplateLimit(f"the chat template loops more than {MAX_STEPS} times")
        if now - self._started > MAX_SECONDS:
            raise TemplateLimit(f"the chat template renders for more than {MAX_SECONDS:g} s")


def check_width(width: Any) -> None:
    """Refuse a width, precision or count beyond `MAX_WIDTH`."""
    if isinstance(width, (int, float)) and not -MAX_WIDTH <= width <= MAX_WIDTH:
        raise TemplateLimit(f"the chat template asks for a width of {width:.3g}; {MAX_WIDTH} are allowed")


def check_size(size: int) -> None:
    """Refuse a value of more than `MAX_VALUE` characters or items."""
    if size > MAX_VALUE:
        raise TemplateLimit(f"the chat template builds a value of {size} characters; {MAX_VALUE} are allowed")
