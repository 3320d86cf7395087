"""One request to the API: what is known before a function gets it, and what the access log says about it."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, cast

from cloud.api.event import Headers

ACCOUNT = "123456789012"


@dataclass
class Request:
    """A request, as it came. Its times are those of `time.monotonic`."""

    method: str
    host: str
    """In lower case, without a port."""
    path: str
    """Percent-encoded."""
    headers: Headers
    client: str
    """The address that it comes from."""
    protocol: str
    began: float = field(default_factory=time.monotonic)
    at: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_id: str = field(default_factory=lambda: secrets.token_urlsafe(11) + "=")
    context: dict[str, object] = field(default_factory=dict[str, object])
    """Variables of the access log and of the API's own errors, beside those that `variables` knows."""

    def event_context(self, stage: Mapping[str, str]) -> dict[str, Any]:
        """Return the event's `requestContext`. `stage`: api, stage, resource and the path of the resource."""
        agent = next((value for name, value in self.headers if name.lower() == "user-agent"), None)
        return {
            "accountId": ACCOUNT,
            "apiId": stage["api"],
            "domainName": self.host,
            "domainPrefix": self.host.partition(".")[0],
            "extendedRequestId": self.extended_id,
            "httpMethod": self.method,
            "identity": {"sourceIp": self.client, "userAgent": agent},
            "path": self.path,
            "protocol": self.protocol,
            "requestId": self.id,
            "requestTime": f"{datetime.fromtimestamp(self.at, UTC):%d/%b/%Y:%H:%M:%S +0000}",
            "requestTimeEpoch": int(self.at * 1000),
            "resourceId": stage["resource"],
            "resourcePath": stage["path"],
            "stage": stage["stage"],
        }

    def response_headers(self) -> list[tuple[str, str]]:
        """Return what the API adds to every response."""
        return [
            ("date", formatdate(usegmt=True)),
            ("x-amzn-requestid", self.id),
            ("x-amz-apigw-id", self.extended_id),
        ]


def flat(context: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Return the variables `$context.…` of an event's `requestContext`."""
    found: dict[str, object] = {}
    for name, value in context.items():
        if isinstance(value, dict):
            found |= flat(cast("Mapping[str, object]", value), f"{before}{name}.")
        elif value is not None:
            found[f"{before}{name}"] = value
    return found
