"""What a REST API with a Lambda proxy integration does on either side of a function: from a request to its event, and
from the function's metadata and payload to a response."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from tests.lambda_function.runtime_api import Invocation

Headers = Iterable[tuple[str, str]]

BINARY = ("multipart/form-data", "application/octet-stream", "image/*", "audio/*")
"""Types whose bodies the API sends in base64: its `binaryMediaTypes`."""
_REMAPPED = "x-amzn-remapped-"
_RENAMED = ("www-authenticate",)
"""Response headers that a REST API renames (docs/aws.md#limits)."""
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
    given = [*headers, *sent]
    kind = next((value for name, value in given if name.lower() == "content-type"), "")
    binary = any(fnmatch(kind.partition(";")[0].strip().lower(), pattern) for pattern in BINARY)
    several = _several(query)
    return {
        "resource": "/" if path == "/" else "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": dict(given),
        "multiValueHeaders": _several(given),
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": None if path == "/" else {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
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
            "resourcePath": "/" if path == "/" else "/{proxy+}",
            "stage": stage,
        },
        "body": None if not body else (base64.b64encode(body) if binary else body).decode(),
        "isBase64Encoded": binary and bool(body),
    }


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
    metadata = invocation.metadata()
    found: dict[str, tuple[str, ...]] = {}
    for name, value in metadata["headers"].items():
        if not isinstance(value, str):
            raise AssertionError(
                f"{name}: {value!r}: a header of the metadata is one text, and several are no response"
            )
        lower = name.lower()
        found[_REMAPPED + lower if lower in _RENAMED else lower] = (value,)
    if metadata.get("cookies"):
        found["set-cookie"] = tuple(metadata["cookies"])
    return Response(metadata["statusCode"], found, body)


def _several(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
