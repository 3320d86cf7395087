"""A line on stderr for each request, for a person at a console. `GATEWAY_LOG_REQUESTS=1` turns it on.

A line has the time, method, path, run, status and duration, and the tokens of prompt and answer. It has no query,
header or body, because they can hold prompts and keys. The line of a stream comes at its end.
"""

from __future__ import annotations

import logging

from gateway_lambda.logs import OneLine
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.recorded import HEALTH, Usage

_LOG = logging.getLogger("gateway.requests")
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
    if exchange.route == HEALTH:
        return
    path = exchange.path.decode("latin-1")
    path = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
    run = exchange.run or "-"
    status = str(exchange.status or "-")
    left = " (the client left)" if exchange.client_left or not exchange.status else ""
    seconds = exchange.ended - exchange.begun
    _LOG.info("%s %s %s %s %.3f s%s%s", exchange.method, path, run, status, seconds, _tokens(exchange.usage), left)


def _tokens(usage: Usage | None) -> str:
    """Return ` 12+34 tokens`: of the prompt, then of the answer; `?` for a count that is not known."""
    if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return ""
    counts = (usage.prompt_tokens, usage.completion_tokens)
    return f" {'+'.join('?' if count is None else str(count) for count in counts)} tokens"
