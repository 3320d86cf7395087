"""The errors of requests, and how they become HTTP.

```
GatewayError
├── RequestError   the request is wrong or not allowed (4xx); a retry gives the same error
└── ServiceError   the gateway or the upstream failed (429, 5xx); a retry can succeed
```

Statuses, types and codes: docs/gateway.md#errors. The body has OpenAI's form, so that its SDKs show the message.
"""

from __future__ import annotations

import os
from http import HTTPStatus

import msgspec

Header = tuple[bytes, bytes]

JSON_TYPE: Header = (b"content-type", b"application/json")
NO_RETRY: Header = (b"x-should-retry", b"false")


class GatewayError(Exception):
    """An error with a message for the caller: what was found, and what to do. `param`: the path of the wrong field."""

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
        """Return the error as the last event of a stream. `named`: for clients that read the names of events."""
        if not named:
            return b"data: " + self.body() + b"\n\n"
        return b'event: error\ndata: {"type":"error",' + self.body()[1:] + b"\n\n"

    def last_response(self, more: tuple[Header, ...] = ()) -> bytes:
        """Return a whole response with `more` headers, for a connection that ends before there is a request."""
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

    `another`: another replica can be asked, because the client has not seen anything of an answer.
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

    def final(self) -> ServiceError:
        """Return the same error where no other replica can be asked."""
        return ServiceError(self.status, self.message, self.code or "", param=self.param, headers=self.headers)


def invalid_type(param: str, found: object, wanted: str) -> RequestError:
    """A field whose JSON type is wrong."""
    return RequestError(f"{param}: found {describe(found)}; use {wanted}", "invalid_type", param=param)


def invalid_value(param: str, found: object, wanted: str) -> RequestError:
    """A field of the right type whose value is out of its range."""
    return RequestError(f"{param}: found {describe(found)}; use {wanted}", "invalid_value", param=param)


def unsupported_value(param: str, message: str) -> RequestError:
    """A value that OpenAI has, but that is not supported here; `message` says what to do instead."""
    return RequestError(f"{param}: {message}", "unsupported_value", param=param)


def invalid_key(message: str) -> RequestError:
    """The request has no key, or an unknown key."""
    return RequestError(message, "invalid_api_key", status=401, headers=((b"www-authenticate", b"Bearer"),))


def model_not_found(name: str) -> RequestError:
    """The model does not exist, or the caller cannot use it."""
    return RequestError(
        f"the model {name[:200]!r} does not exist here, or you cannot use it; GET /v1/models lists the models that "
        "you can use",
        "model_not_found",
        status=404,
        param="model",
    )


def not_found(what: str) -> RequestError:
    """A route or a run that does not exist."""
    return RequestError(what, "not_found", status=404)


def not_allowed(method: str, allowed: bytes) -> RequestError:
    """Return the error for a route that does not have the method."""
    return RequestError(
        f"{method} is not allowed here; use {allowed.decode()}",
        "method_not_allowed",
        status=405,
        headers=((b"allow", allowed),),
    )


def run_not_found(name: str) -> RequestError:
    """The run does not exist, or the caller cannot use it."""
    return not_found(f"the run {name[:80]!r} does not exist here, or you cannot use it; check the name and the API key")


def too_large(limit: int) -> RequestError:
    """A request body above the limit, in bytes."""
    return RequestError(f"the request body is larger than {limit} bytes; send less", "request_too_large", status=413)


def overloaded(message: str) -> ServiceError:
    """Every replica is busy; a short wait helps."""
    return ServiceError(429, message, "model_overloaded", headers=((b"retry-after", b"1"),), another=True)


def unavailable(message: str) -> ServiceError:
    """No replica is up."""
    return ServiceError(503, message, "service_unavailable", headers=((b"retry-after", b"5"),), another=True)


def stopping() -> ServiceError:
    """The gateway stops, and the time for requests to end is over."""
    return unavailable("the gateway is stopping; try again shortly")


def out_of_time() -> ServiceError:
    """The function that the gateway runs in has to end soon."""
    return ServiceError(
        504,
        "the answer is not complete: it took longer than one answer may take here (on AWS Lambda, 15 minutes). Ask for "
        "a shorter answer, or send the text that you have and ask the model to continue it",
        "out_of_time",
        headers=(NO_RETRY,),
    )


def unreachable(message: str, *, another: bool = True) -> ServiceError:
    """The gateway cannot connect, or gets no answer, or the answer is not HTTP."""
    return ServiceError(502, message, "upstream_unreachable", another=another)


def timed_out(message: str) -> ServiceError:
    """The upstream took too long; a retry would start the same work again."""
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
