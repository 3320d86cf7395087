"""The event of a request: what a REST API with a Lambda proxy integration gives to a function, payload format 1.0."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any
from urllib.parse import parse_qsl

Headers = Iterable[tuple[str, str]]

DROPPED = frozenset(
    ("connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding")
)
"""Request headers that end at the API (api-gateway-known-issues.html). A body in an event says its length itself."""


def proxy_event(
    *,
    method: str,
    path: str,
    headers: Headers,
    query: Iterable[tuple[str, str]],
    body: bytes,
    binary_types: Iterable[str],
    resource: str,
    parameters: Mapping[str, str],
    variables: Mapping[str, str] | None,
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the event.

    Args:
        path: percent-encoded, as it stays in an event.
        headers: as the function gets them, in order.
        query: names and values, decoded.
        resource: the path of the API's resource, such as `/{proxy+}`.
        context: the event's `requestContext`.
    """
    given = list(headers)
    kind = next((value for name, value in given if name.lower() == "content-type"), "")
    binary = is_binary(kind, binary_types)
    several = _several(query)
    # The API replaces bytes that are not UTF-8.
    text = base64.b64encode(body).decode() if binary else body.decode(errors="replace")
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": dict(given),
        "multiValueHeaders": _several(given),
        "queryStringParameters": {name: values[-1] for name, values in several.items()} or None,
        "multiValueQueryStringParameters": several or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": dict(variables) if variables else None,
        "requestContext": dict(context),
        "body": text if body else None,
        "isBase64Encoded": binary and bool(body),
    }


def is_binary(kind: str, patterns: Iterable[str]) -> bool:
    """Whether a body of this content type travels in base64."""
    media = kind.partition(";")[0].strip().lower()
    return any(fnmatch(media, pattern) for pattern in patterns)


def forwarded(headers: Headers, *, client: str, port: int) -> list[tuple[str, str]]:
    """Return the headers of a request as the function gets them, with what the API says about the caller."""
    kept: list[tuple[str, str]] = []
    before: list[str] = []
    for name, value in headers:
        lower = name.lower()
        if lower == "x-forwarded-for":
            before.append(value)
        elif lower not in DROPPED and lower not in ("x-forwarded-port", "x-forwarded-proto"):
            kept.append((name, value))
    said = [("X-Forwarded-For", ", ".join([*before, client])), ("X-Forwarded-Port", str(port))]
    return [*kept, *said, ("X-Forwarded-Proto", "https")]


def queried(text: str) -> Sequence[tuple[str, str]]:
    """Return names and values of a query, decoded."""
    return parse_qsl(text, keep_blank_values=True)


def _several(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
