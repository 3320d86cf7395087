"""The errors that the API itself answers when a request or a response does not get through, in OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ApiError:
    """One of API Gateway's gateway responses. Its message says why; `None`: API Gateway's own message does."""

    status: str | None
    """`None`: API Gateway's own, which differs within the response type."""
    type: str
    code: str
    message: str | None

    @property
    def template(self) -> str:
        """Return a mapping template that makes the body."""
        # messageString is the message as a JSON string, quotes and all.
        said = "$context.error.messageString" if self.message is None else json.dumps(self.message)
        rest = json.dumps({"type": self.type, "param": None, "code": self.code})
        return f'{{"error": {{"message": {said}, {rest[1:]}}}'


API_ERRORS: Mapping[str, ApiError] = {
    "DEFAULT_4XX": ApiError(status=None, type="invalid_request_error", code="bad_request", message=None),
    "DEFAULT_5XX": ApiError(status=None, type="server_error", code="gateway_error", message=None),
    "INTEGRATION_FAILURE": ApiError(
        status="502",
        type="server_error",
        code="gateway_error",
        message="the gateway's function failed; try again, and see its log if that does not help",
    ),
    "INTEGRATION_TIMEOUT": ApiError(
        status="504",
        type="server_error",
        code="upstream_timeout",
        message="no answer within the time that the API waits; use stream=true for answers that take long",
    ),
    "REQUEST_TOO_LARGE": ApiError(
        status="413",
        type="invalid_request_error",
        code="request_too_large",
        message="the request has more than 10 MB, the most that the API takes; about 5 MB reach a service",
    ),
    "THROTTLED": ApiError(
        status="429",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        message="too many requests at once for the gateway; try again in a moment",
    ),
}
"""By API Gateway's response type (apigateway API: PutGatewayResponse)."""
