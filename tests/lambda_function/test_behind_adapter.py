"""What becomes of a response before the adapter has it; without the adapter."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway_lambda.errors import Header
from gateway_lambda.server.adapter import behind_adapter
from gateway_lambda.server.app import App
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.request_body import Message
from gateway_lambda.settings import Settings

HTML = (b"content-type", b"text/html")
GZIP = (b"content-encoding", b"gzip")


def length(size: int) -> Header:
    return (b"content-length", b"%d" % size)


def answered(
    status: int, headers: list[Header], *pieces: bytes, method: str = "GET"
) -> tuple[list[Header], list[bytes]]:
    """Headers and pieces as sent, of an application that gives these."""
    sent: list[Message] = []

    async def application(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": method, "headers": [], "client": ("127.0.0.1", 1), "raw_path": b"/"}
    asyncio.run(behind_adapter(application)(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * len(pieces)]
    assert sent[-1]["more_body"] is False
    return sent[0]["headers"], [message["body"] for message in sent[1:]]


@pytest.mark.parametrize(
    ("status", "headers", "pieces", "method", "wanted"),
    [
        (200, [HTML, length(0)], [b""], "GET", ([HTML, length(1)], [b"\n"])),
        (200, [length(0), GZIP], [b"", b""], "GET", ([length(1)], [b"", b"\n"])),
        (302, [HTML], [b""], "POST", ([HTML], [b"\n"])),
        (200, [HTML], [b"", b"", b""], "GET", ([HTML], [b"", b"", b"\n"])),
        (200, [HTML], [b"x", b""], "GET", ([HTML], [b"x", b""])),
        (200, [HTML], [b"", b"x"], "GET", ([HTML], [b"", b"x"])),
        (200, [length(1)], [b"x"], "GET", ([length(1)], [b"x"])),
        (200, [length(5)], [b""], "HEAD", ([length(5)], [b""])),
        (200, [length(0)], [b""], "HEAD", ([length(0)], [b""])),
        (204, [HTML], [b""], "GET", ([HTML], [b""])),
        (304, [HTML], [b""], "GET", ([HTML], [b""])),
        (200, [GZIP], [b"", b""], "GET", ([GZIP], [b"", b""])),
    ],
)
def test_a_body_that_may_be_there_is_never_empty(
    status: int, headers: list[Header], pieces: list[bytes], method: str, wanted: tuple[list[Header], list[bytes]]
) -> None:
    assert answered(status, headers, *pieces, method=method) == wanted


def test_a_name_has_one_line_and_cookies_have_their_own() -> None:
    given: list[Header] = [
        (b"set-cookie", b"a=1"),
        (b"vary", b"x"),
        (b"link", b"<a>"),
        (b"set-cookie", b"b=2"),
        (b"link", b"<b>"),
    ]
    assert answered(200, given, b"x")[0] == [
        (b"vary", b"x"),
        (b"link", b"<a>, <b>"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


def test_what_is_not_ascii_in_a_header_is_percent_encoded() -> None:
    given = [(b"location", "/é".encode()), (b"x-l", b"caf\xe9\t~\x7f"), (b"set-cookie", "a=é".encode())]
    assert answered(200, given, b"x")[0] == [
        (b"location", b"/%C3%A9"),
        (b"x-l", b"caf%E9\t~%7F"),
        (b"set-cookie", b"a=%C3%A9"),
    ]


def test_the_application_sees_neither_the_adapter_nor_its_headers() -> None:
    seen: list[Message] = []

    async def application(scope: Message, receive: Any, send: Any) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> Message:
        return {}

    its_own = [(b"x-amzn-request-context", b"{}"), (b"x-amzn-lambda-context", b"{}"), (b"x-amz-tenant-id", b"t")]
    given = [(b"host", b"h"), *its_own, (b"x-forwarded-for", b"203.0.113.7")]
    scope = {"type": "http", "method": "GET", "headers": given, "client": ("127.0.0.1", 1), "raw_path": b"/"}
    asyncio.run(behind_adapter(application)(scope, nothing, nothing))
    asyncio.run(behind_adapter(application)({"type": "lifespan"}, nothing, nothing))
    kept = [(b"host", b"h"), (b"x-forwarded-for", b"203.0.113.7")]
    assert seen == [{**scope, "headers": kept, "client": None, "root_path": ""}, {"type": "lifespan"}]
    assert scope["headers"] == given


@pytest.mark.parametrize(
    ("context", "before"),
    [
        (b'{"path": "/live/services/a%20b/", "stage": "live"}', "/live"),
        (b'{"path": "/services/a%20b/", "stage": "live"}', ""),
        (b'{"path": "/live/elsewhere", "stage": "live"}', ""),
        (b'{"path": null}', ""),
        (b"{}", ""),
        (b"null", ""),
    ],
)
def test_the_application_learns_what_stood_before_its_path(context: bytes, before: str) -> None:
    seen: list[str] = []

    async def application(scope: Message, receive: Any, send: Any) -> None:
        seen.append(scope["root_path"])

    async def nothing(*_: Any) -> Message:
        return {}

    headers = [(b"x-amzn-request-context", context)]
    scope = {"type": "http", "method": "GET", "headers": headers, "raw_path": b"/services/a%20b/", "root_path": ""}
    asyncio.run(behind_adapter(application)(scope, nothing, nothing))
    assert seen == [before]


def test_a_page_reads_that_its_path_climbs() -> None:
    sent: list[Message] = []

    async def answer(exchange: Exchange) -> None:
        raise AssertionError

    async def nothing() -> Message:
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"x-amzn-request-context", b'{"path": "/a/../b"}'), (b"origin", b"https://a.example")]
    scope = {"type": "http", "method": "GET", "headers": headers, "raw_path": b"/b", "root_path": ""}
    told: list[tuple[int, str | None]] = []
    for origins in ("*", "https://a.example", "none"):
        listeners = [lambda exchange: told.append((exchange.status, exchange.error))]
        app = App(Settings(allowed_origins=origins), answer, sent.clear, listeners)
        asyncio.run(behind_adapter(app)(scope, nothing, send))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert [message["status"] for message in starts] == [400, 400, 400]
    allowed = [dict(message["headers"]).get(b"access-control-allow-origin") for message in starts]
    assert allowed == [b"*", b"https://a.example", None]
    assert told == [(400, "invalid_value")] * 3
