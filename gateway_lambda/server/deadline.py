"""How long an answer may take in a function that ends at a known time."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from gateway_lambda.errors import Header

SECONDS = "servestack.seconds"
"""The ASGI scope's key for the seconds within which an answer has to end."""
_CONTEXT = b"x-amzn-lambda-context"
_MARGIN = 15.0
"""Seconds that are left for the end. The API waits as long for an answer as the function may run, but counts from its
own request: it is up to one cold start ahead, which takes 10 s at most. The rest is for an end on its way through."""
_LARGEST_SHARE = 0.1
"""Of the time that is left, where that is short."""


class _Context(msgspec.Struct):
    """What the adapter says of an invocation."""

    deadline: int = 0
    """When the function is ended, in milliseconds since 1970."""


def seconds_to_answer(headers: Iterable[Header]) -> float | None:
    """Return how long the answer to a request with these headers may take; None if the headers do not say it."""
    said = next((value for name, value in headers if name == _CONTEXT), None)
    if said is None:
        return None
    try:
        left = msgspec.json.decode(said, type=_Context).deadline / 1000 - time.time()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return left - min(_MARGIN, left * _LARGEST_SHARE) if left > 0 else None
