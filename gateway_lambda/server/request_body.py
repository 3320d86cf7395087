"""A request's body, as it comes over ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway_lambda.errors import too_large

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class ClientLeft(Exception):
    """The client closed its connection before its request was complete."""


async def rest_of_body(receive: Receive, message: Message, limit: int) -> bytes:
    """Return the whole body, of which `message` has the first piece.

    Raises `RequestError` above `limit` bytes, and `ClientLeft` if the rest does not come.
    """
    pieces: list[bytes] = [message.get("body", b"")]
    size = len(pieces[0])
    while message["type"] == "http.request":
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
    raise ClientLeft
