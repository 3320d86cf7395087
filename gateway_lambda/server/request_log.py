"""A line on stderr for each request, for a person at a console. `GATEWAY_LOG_REQUESTS=1` turns it on.

A line has the time, method, path, run, status and duration. It has no query, header or body, because they can hold
prompts and keys. The line of a stream comes at its end.
"""

from __future__ import annotations

import logging

from gateway_lambda.logs import OneLine
from gateway_lambda.server.exchange import Exchange

_LOG = logging.getLogger("gateway.requests")
_HEALTH = (b"/healthz", b"/health")
_LONGEST_PATH = 200
"""Characters of a path in a line."""


def set_up_request_log() -> None:
    """Send the lines to stderr, for every level of the other records."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False


def log_request(exchange: Exchange) -> None:
    """Write the line of a request that has ended. Health checks of the gateway have no line."""
    if exchange.path in _HEALTH:
        return
    path = exchange.path.decode("latin-1")
    path = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
    run = exchange.run or "-"
    status = str(exchange.status or "-")
    left = " (the client left)" if exchange.client_left or not exchange.status else ""
    _LOG.info("%s %s %s %s %.3f s%s", exchange.method, path, run, status, exchange.ended - exchange.begun, left)
