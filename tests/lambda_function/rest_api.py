"""The API of `make cloud` without a server: requests as events, and answers of a function as responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.api.answer import streamed_head
from cloud.api.event import Headers, proxy_event
from infra.components.api import BINARY_TYPES
from tests.lambda_function.runtime_api import Invocation

CLIENT = "203.0.113.7"


def event(
    method: str,
    path: str,
    *,
    headers: Headers = (),
    query: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    host: str = "gateway.example.org",
    stage: str = "live",
) -> dict[str, Any]:
    """A proxy event, payload format 1.0, of a request to a custom domain or to the API's own address, whose paths begin
    with the stage. `path` is percent-encoded, as it stays in an event."""
    sent = [("Host", host), ("X-Forwarded-For", CLIENT), ("X-Forwarded-Port", "443"), ("X-Forwarded-Proto", "https")]
    resource = "/" if path == "/" else "/{proxy+}"
    return proxy_event(
        method=method,
        path=path,
        headers=[*headers, *sent],
        query=query,
        body=body,
        binary_types=BINARY_TYPES,
        resource=resource,
        parameters={} if path == "/" else {"proxy": path.lstrip("/")},
        variables=None,
        context={
            "accountId": "000000000000",
            "apiId": "a1b2c3",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "extendedRequestId": "x",
            "httpMethod": method,
            "identity": {"sourceIp": CLIENT, "userAgent": "tests"},
            "path": f"/{stage}{path}" if ".execute-api." in host else path,
            "protocol": "HTTP/1.1",
            "requestId": "00000000-0000-0000-0000-000000000000",
            "requestTime": "01/Oct/2026:00:00:00 +0000",
            "requestTimeEpoch": 1790812800000,
            "resourceId": "r",
            "resourcePath": resource,
            "stage": stage,
        },
    )


@dataclass(frozen=True)
class Response:
    """What the API's client gets."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    """By lower-case name, every value."""
    body: bytes


def response(invocation: Invocation) -> Response:
    """The whole response to an event, once it has ended."""
    body = invocation.payload()
    head = streamed_head(invocation.head)
    found: dict[str, tuple[str, ...]] = {}
    for name, value in head.headers:
        found[name] = (*found.get(name, ()), value)
    for name, value in invocation.metadata()["headers"].items():
        if not isinstance(value, str):
            raise AssertionError(
                f"{name}: {value!r}: a header of the metadata is one text, and several are no response"
            )
        # The API writes the length of a body by itself. What the function says must still be true.
        if name.lower() == "content-length":
            found["content-length"] = (value,)
    return Response(head.status, found, body)
