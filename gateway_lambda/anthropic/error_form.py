"""Errors in Anthropic's form (docs/translation.md#errors-of-anthropic). The statuses are those of all dialects."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_lambda.errors import GatewayError
from gateway_lambda.server.answer_form import AnswerForm

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_object(error: GatewayError) -> dict[str, Any]:
    """`{"type": "error", "error": {…}}`. `code` and `param` are beyond what Anthropic sends."""
    usual = "api_error" if error.status >= 500 else "invalid_request_error"
    said: dict[str, Any] = {"type": _TYPES.get(error.status, usual), "message": error.message}
    more = {"code": error.code, "param": error.param}
    return {"type": "error", "error": {**said, **{key: value for key, value in more.items() if value is not None}}}


def _body(error: GatewayError, request_id: bytes) -> bytes:
    return msgspec.json.encode({**error_object(error), "request_id": request_id.decode()})


ANTHROPIC_FORM = AnswerForm(_body, b"request-id")
