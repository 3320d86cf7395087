"""Answers to clients of HTTP/1.0."""

from __future__ import annotations

from typing import Any

from gateway_lambda.server.request_body import Message


def answer_without_chunks(cycle: Any) -> None:
    """HTTP/1.0 has no chunks: the end of the connection, which stays open for no second request, ends the body."""
    send = cycle.send
    until_close = False

    async def plain(message: Message) -> None:
        nonlocal until_close
        if until_close:
            cycle.expected_content_length = len(message.get("body", b""))
        elif not cycle.response_started:
            until_close = all(name.lower() != b"content-length" for name, _ in message["headers"])
            cycle.chunked_encoding = False if until_close else None
        await send(message)

    cycle.send = plain
