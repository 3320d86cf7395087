"""The tags that mark every resource of a stack."""

from __future__ import annotations

STACK_TAG = "servestack:stack"
"""The full name of the stack."""
RUN_TAG = "servestack:run"
GATEWAY_TAG = "servestack:gateway"
