"""What is known of a request when it has ended."""

from __future__ import annotations

import msgspec

HEALTH = "/healthz"
"""The route of health checks, of which nothing is written down."""
OTHER = "/…"
"""The route of a request for a path that the gateway does not know."""


class Usage(msgspec.Struct, gc=False):
    """The tokens of one request, as the model server counts them. `None`: nobody has counted them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Of all choices. A stream that was cut has those that came."""


class Recorded:
    """The part of an exchange that is written down. Those who answer fill it in as they learn it.

    `begun`, `first_byte`, `first_token` and `ended` are seconds of `time.monotonic()`, and 0 as long as it has not come
    to that.
    """

    __slots__ = (
        "begun",
        "client_left",
        "ended",
        "error",
        "failed",
        "first_byte",
        "first_token",
        "held",
        "key",
        "method",
        "model",
        "others",
        "path",
        "request_id",
        "route",
        "run",
        "status",
        "stream",
        "usage",
    )

    method: str
    path: bytes
    """As the client sent it, without the query."""
    route: str
    """One of a limited number: nothing of it is the client's own words."""
    request_id: bytes
    status: int
    """0: the status has not been sent."""
    error: str | None
    """The code of what went wrong, also after the status was sent."""
    failed: bool
    """The gateway or the upstream could not serve it: a status from 500, or a stream that did not come to its end."""
    client_left: bool
    key: str | None
    """The name of the caller's key, if it is known."""
    run: str | None
    """The run that the request was let in to."""
    model: str | None
    """The name of that run's model."""
    others: bool
    """Another run can have the request, if this one cannot answer it."""
    stream: bool
    """The answer is a stream of events."""
    usage: Usage | None
    """Who makes or reads the answer sets it, before the answer's end."""
    begun: float
    first_byte: float
    """The status was sent."""
    first_token: float
    """The first token of a stream came from the model server, or the first event of one that passes through."""
    ended: float
    held: float
    """Seconds that the request waited for a replica to be there."""
