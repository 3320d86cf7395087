"""Letting a web page of another origin read an answer, and send the request that its browser asks about first."""

from __future__ import annotations

from gateway_lambda.allowed_origins import EXPOSED, AllowedOrigins
from gateway_lambda.server.exchange import Exchange

_MAX_AGE = b"7200"
"""Seconds that a browser can keep the answer to a preflight. Chromium allows no more."""


def open_to(origin: bytes, exchange: Exchange, allowed: AllowedOrigins) -> None:
    """Let a page of `origin` read the answer of `exchange`, and send the request that a preflight asks about."""
    headers = exchange.cross_origin = allowed.headers(origin)
    if exchange.method != "OPTIONS" or EXPOSED not in headers:
        return
    method = exchange.header(b"access-control-request-method")
    if method is None:
        return
    exchange.preflight = True
    exchange.cross_origin = (
        *headers,
        (b"access-control-allow-methods", method),
        (b"access-control-max-age", _MAX_AGE),
    )
    asked = exchange.header(b"access-control-request-headers")
    if asked is not None:
        exchange.cross_origin += ((b"access-control-allow-headers", asked),)
