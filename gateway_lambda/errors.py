"""What can go wrong with a request, and the one place that turns it into HTTP.

```
GatewayError
├── RequestError   the caller's: what was asked is wrong or not allowed (4xx); a retry gives the same
└── ServiceError   ours or the upstream's: the request was fine (429, 5xx); clients may retry
```

Statuses, types and codes are those of translation.md §6.6; the body is OpenAI's, so that its SDKs show the message.
"""

from __future__ import annotations

import os
from http import HTTPStatus

import msgspec

Header = tuple[bytes, bytes]

JSON_TYPE: Header = (b"content-type", b"application/json")
NO_RETRY: Header = (b"x-should-retry", b"false")


class GatewayError(Exception):
    """`message` says what was found, the rule, and the remedy; `param` is the dotted path of the field at fault."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str,
        code: str | None,
        param: str | None = None,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        """`{"error": {…}}` as JSON."""
        return msgspec.json.encode(
            {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}
        )

    def event(self, *, named: bool = False) -> bytes:
        """The same as the last event of a stream. `named`: for clients that go by names of events."""
        if not named:
            return b"data: " + self.body() + b"\n\n"
        return b'event: error\ndata: {"type":"error",' + self.body()[1:] + b"\n\n"

    def last_response(self, more: tuple[Header, ...] = ()) -> bytes:
        """A whole response, for a connection that ends with it before there is a request. `more`: further headers."""
        body = self.body()
        own = (b"x-request-id", b"req_" + os.urandom(12).hex().encode()), (b"content-length", b"%d" % len(body))
        lines = [
            b"%s: %s\r\n" % header for header in (JSON_TYPE, *own, (b"connection", b"close"), *self.headers, *more)
        ]
        status = b"HTTP/1.1 %d %s\r\n" % (self.status, HTTPStatus(self.status).phrase.encode())
        return status + b"".join(lines) + b"\r\n" + body


class RequestError(GatewayError):
    """The caller's request cannot be served as it is."""

    def __init__(
        self, message: str, code: str, *, status: int = 400, param: str | None = None, headers: tuple[Header, ...] = ()
    ) -> None:
        super().__init__(status, message, type="invalid_request_error", code=code, param=param, headers=headers)


class ServiceError(GatewayError):
    """The gateway or an upstream failed.

    `another`: a second replica may do better, nothing of an answer was seen yet.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        param: str | None = None,
        headers: tuple[Header, ...] = (),
        another: bool = False,
    ) -> None:
        kind = "rate_limit_error" if status == 429 else "server_error"
        super().__init__(status, message, type=kind, code=code, param=param, headers=headers)
        self.another = another


def invalid_type(param: str, found: object, wanted: str) -> RequestError:
    """A field whose JSON type is wrong."""
    return RequestError(f"{param}: found {describe(found)}, want {wanted}", "invalid_type", param=param)


def invalid_value(param: str, found: object, wanted: str) -> RequestError:
    """A field of the right type whose value is out of its range."""
    return RequestError(f"{param}: found {describe(found)}, want {wanted}", "invalid_value", param=param)


def unsupported_value(param: str, message: str) -> RequestError:
    """A value that OpenAI knows and that cannot be had here; `message` says what to do instead."""
    return RequestError(f"{param}: {message}", "unsupported_value", param=param)


def invalid_key(message: str) -> RequestError:
    """No key, or one that nobody was given."""
    return RequestError(message, "invalid_api_key", status=401, headers=((b"www-authenticate", b"Bearer"),))


def model_not_found(name: str) -> RequestError:
    """A model that no run serves, or none that the caller may use."""
    return RequestError(
        f"the model {name[:200]!r} does not exist here, or you have no access to it; GET /v1/models lists those that "
        "you may use",
        "model_not_found",
        status=404,
        param="model",
    )


def not_found(what: str) -> RequestError:
    """A route or a run that there is not."""
    return RequestError(what, "not_found", status=404)


def not_allowed(method: str, allowed: bytes) -> RequestError:
    """A route that has no such method."""
    return RequestError(
        f"{method} is not possible here; use {allowed.decode()}",
        "method_not_allowed",
        status=405,
        headers=((b"allow", allowed),),
    )


def run_not_found(name: str) -> RequestError:
    """A run that there is not, or that the caller may not use."""
    return not_found(f"there is no run {name[:80]!r} here, or you have no access to it")


def too_large(limit: int) -> RequestError:
    """A request body above the limit, in bytes."""
    return RequestError(f"the request body is larger than {limit} bytes", "request_too_large", status=413)


def overloaded(message: str) -> ServiceError:
    """Every replica has as much as it takes; the wait is short."""
    return ServiceError(429, message, "model_overloaded", headers=((b"retry-after", b"1"),), another=True)


def unavailable(message: str) -> ServiceError:
    """No replica is there, or none is up yet."""
    return ServiceError(503, message, "service_unavailable", headers=((b"retry-after", b"5"),), another=True)


def stopping() -> ServiceError:
    """The gateway is being stopped, and the time that requests get to end is over."""
    return unavailable("the gateway is being stopped; try again shortly")


def out_of_time() -> ServiceError:
    """Whoever runs the gateway ends it shortly, whatever is under way."""
    return ServiceError(
        504,
        "the time that one answer may take here is over (on AWS Lambda, 15 minutes): what has come so far is not the "
        "whole answer. Ask for a shorter one, or send what has come and ask to continue it",
        "out_of_time",
        headers=(NO_RETRY,),
    )


def unreachable(message: str, *, another: bool = True) -> ServiceError:
    """Connecting failed, or the connection ended before the first byte of an answer, or what came was no HTTP."""
    return ServiceError(502, message, "upstream_unreachable", another=another)


def timed_out(message: str) -> ServiceError:
    """The upstream took longer than it may; a retry would start the same work again."""
    return ServiceError(504, message, "upstream_timeout", headers=(NO_RETRY,))


def describe(found: object) -> str:
    """A JSON value in a few words, for a message: short, and never a whole prompt."""
    if found is None:
        return "null"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, (int, float)):
        return str(found)[:40]
    if isinstance(found, str):
        return f"the string {found!r}" if len(found) <= 40 else f"a string of {len(found)} characters"
    return "a list" if isinstance(found, list) else "an object"
