"""How many tokens a choice can have."""

from __future__ import annotations

from typing import NamedTuple

from gateway_lambda.generation.capabilities import Capabilities

_PIECE = 1024
"""Tokens. TGI since 3.0 generates in pieces of this size, and starts the grammar again in each piece."""


class Budget(NamedTuple):
    """The token limit of a choice.

    `send`: the value of `max_new_tokens`; None: to the end of the context. `keep`: tokens after which the answer is cut
    with finish reason `length`, because the grammar does not hold after them; None: no cut.
    """

    send: int | None
    keep: int | None


def budget_with_grammar(asked: int | None, default: int | None, capabilities: Capabilities) -> Budget:
    """Return the token limit of a request with a grammar, from a response format or from a forced call.

    `asked`: the client's limit; `default`: the record's `default_max_tokens`.
    """
    if not capabilities.restarts_grammar:
        limit = default if asked is None else asked
        return Budget(limit, limit)
    if asked is None:
        limit = _PIECE if default is None else min(_PIECE, default)
        return Budget(limit, limit)
    return Budget(asked, min(_PIECE, asked))
