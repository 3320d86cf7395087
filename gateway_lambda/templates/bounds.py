"""The limits of one rendering. docs/templates.md#what-holds says against whom each limit is.

Time: every loop iteration, macro call and block begins with a step, which looks at the clock. Between two steps there
is one expression of the template, whose cost grows no faster than its input.
Memory: `memory`. Size: the prompt is counted while it is made.
"""

from __future__ import annotations

import time
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.runtime import Context

from gateway_lambda.templates.errors import TemplateLimit

MAX_OUTPUT_BYTES: Final = 1_800_000
"""UTF-8 bytes of a rendered prompt: TGI refuses bodies above 2,000,000 bytes since 2.4.1."""
MAX_SECONDS: Final = 0.5
"""CPU time of one rendering, which holds up every other request. The public templates take less than a tenth of it for
2,048 messages, and 4 to 25 µs for one."""
FIRST_LOOK: Final = MAX_SECONDS / 2
clock: Final = time.monotonic
STEP: Final = "one step"
"""The filter that compiled templates call; no template can write its name."""


class RenderContext(Context):
    """Jinja's context of one rendering, with the time that it has taken."""

    look_at = 0.0
    """When `look` is called next, by `clock`. The code that makes the context sets it."""
    _used = 0.0
    """The processor time at the first look."""

    def look(self, now: float) -> None:
        """Raises `TemplateLimit` when the time of the rendering is over.

        Only processor time counts, because the process can be paused. Reading it is expensive, so this happens once
        after half of the time, and again after the other half.
        """
        used = time.thread_time()
        if self._used and used - self._used > MAX_SECONDS - FIRST_LOOK:
            raise TemplateLimit(f"the chat template takes more than {MAX_SECONDS:g} s to render")
        self._used = self._used or used
        self.look_at = now + FIRST_LOOK


@pass_context
def step(context: RenderContext, _: Any = None) -> None:
    """Count one more iteration or call."""
    now = clock()
    if now > context.look_at:
        context.look(now)


def count_steps(tree: nodes.Template) -> None:
    """Make the body of each loop, macro and block of a parsed template begin with a step."""
    for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):
        counted = nodes.Filter(nodes.Const(None), STEP, [], [], None, None, lineno=node.lineno)
        node.body.insert(0, nodes.ExprStmt(counted, lineno=node.lineno))
