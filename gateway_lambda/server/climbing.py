"""Paths that climb: a segment `..`, which servers behind the gateway read differently."""

from __future__ import annotations

import re

from gateway_lambda.errors import RequestError

REFUSED = "servestack.refused"
"""The ASGI scope's key for the error of a path that climbed before it was resolved."""
_SEPARATOR = rb"(?:[/\\]|%(?:25)*(?:2f|5c))"
_DOT = rb"(?:\.|%(?:25)*2e)"
_CLIMBING = re.compile(rb"(?:^|%b)%b{2}(?=%b|;|%%(?:25)*3b|$)" % (_SEPARATOR, _DOT, _SEPARATOR), re.IGNORECASE)
"""A segment `..`, with parameters or without. Each byte may be percent-encoded, any number of times."""


def refuse_climbing(path: bytes) -> None:
    """Raises `RequestError` for a raw path that has a segment `..`."""
    if (b"." in path or b"%" in path) and _CLIMBING.search(path):
        raise RequestError("the path has a segment '..'; send the path without it", "invalid_value")
