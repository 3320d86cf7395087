"""Tags that everything of a stack has, by which it is known for that stack's."""

from __future__ import annotations

STACK_TAG = "servestack:stack"
"""Full name of the stack."""
RUN_TAG = "servestack:run"
GATEWAY_TAG = "servestack:gateway"
