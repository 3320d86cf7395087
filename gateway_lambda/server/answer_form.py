"""How a dialect writes what is the same for all of its answers: errors, and the id of the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gateway_lambda.errors import GatewayError


class AnswerForm(NamedTuple):
    """The form of a dialect other than the OpenAI API.

    `error`: makes the body of an error, from the error and the id of the request. `id_header`: another header that has
    this id, beside `x-request-id`.
    """

    error: Callable[[GatewayError, bytes], bytes]
    id_header: bytes
