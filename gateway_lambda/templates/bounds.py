"""How much one rendering may cost, whatever a caller put into it. docs/templates.md says whom each bound is against.

Time: every loop iteration, macro call and block begins with a step, which looks at the clock. What lies between two
steps is one expression of the template, whose cost grows with what it is given and no faster.
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
"""CPU time of one rendering. It holds up every other request meanwhile; the public templates take less than a tenth for
2,048 messages, and 4 to 25 µs for one."""
FIRST_LOOK: Final = MAX_SECONDS / 2
clock: Final = time.monotonic
STEP: Final = "one step"
"""The filter that compiled templates call; no template can write its name."""


class RenderContext(Context):
    """Jinja's context of one rendering, with the time that it has taken."""

    look_at = 0.0
    """When `look` is called next, by `clock`; whoever makes the context sets it."""
    _used = 0.0
    """The processor time at the first look."""

    def look(self, now: float) -> None:
        """Raises `TemplateLimit` once the rendering has had its time.

        Only processor time counts, for the process may be paused meanwhile. To ask for it is dear: it is done once half
        of the time has passed, and once more after the other half.
        """
        used = time.thread_time()
        if self._used and used - self._used > MAX_SECONDS - FIRST_LOOK:
            raise TemplateLimit(f"the chat template takes more than {MAX_SECONDS:g} s to render")
        self._used = self._used or used
        self.look_at = now + FIRST_LOOK


@pass_context
def step(context: RenderContext, _: Any = None) -> None:
    """One iteration or call more."""
    now = clock()
    if now > context.look_at:
        context.look(now)


def count_steps(tree: nodes.Template) -> None:
    """Make each loop's, macro's and block's body of a parsed template begin with a step."""
    for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):
        counted = nodes.Filter(nodes.Const(None), STEP, [], [], None, None, lineno=node.lineno)
        node.body.insert(0, nodes.ExprStmt(counted, lineno=node.lineno))
