"""How much one rendering may cost, whatever a caller put into it (docs/templates.md says whom each bound holds against).

Time: every loop iteration, macro call and block counts a step, and now and then a step looks at the clock. What
lies between two steps is one expression of the template, whose cost grows with what it is given and no faster.
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
STEP: Final = "one step"
"""The test that compiled templates call; no template can write its name."""
_STEPS_BETWEEN_CLOCKS: Final = 32


class RenderContext(Context):
    """Jinja's context of one rendering, with the steps that it has taken."""

    steps = 0
    _started: float | None = None

    def check_clock(self) -> None:
        """Raises `TemplateLimit` once the time is over."""
        now = time.thread_time()
        if self._started is None:
            self._started = now
        elif now - self._started > MAX_SECONDS:
            raise TemplateLimit(f"the chat template renders for more than {MAX_SECONDS:g} s")


@pass_context
def step(context: RenderContext, _: Any) -> None:
    """Count a step."""
    context.steps += 1
    if context.steps % _STEPS_BETWEEN_CLOCKS == 0:
        context.check_clock()


def count_steps(tree: nodes.Template) -> None:
    """Make each loop's, macro's and block's body of a parsed template begin with a step."""
    for node in tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)):
        counted = nodes.Test(nodes.Const(None), STEP, [], [], None, None, lineno=node.lineno)
        node.body.insert(0, nodes.ExprStmt(counted, lineno=node.lineno))
