"""The one writer of requests: what it takes is written as it was given, and what would be something else is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_lambda.upstream.request import NotSendable, Request

HOSTILE = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\x00",
    b"\x0b",
    b"\x1b[2J",
    b"\x7f",
    b"\r\nx-injected: 1",
    b"\r\n\r\nGET /secret HTTP/1.1\r\nhost: another\r\n\r\n",
    b"\n content-length: 0",
]
HOST = b"replica.example"

pieces = st.sampled_from([b"\r", b"\n", b"\r\n", b": ", b"\x00", b" ", b"\t", b"host", b"content-length", b"GET", b"/"])
text = st.lists(st.one_of(pieces, st.binary(max_size=4)), max_size=5).map(b"".join)
names = st.one_of(st.sampled_from([b"x-a", b"host", b"content-length", b"transfer-encoding", b"X-A"]), text)


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("place", ["method", "target", "host", "name", "value", "length"])
def test_a_byte_that_has_no_place_there_is_refused(place: str, bad: bytes) -> None:
    usual = {"method": b"GET", "target": b"/x", "host": HOST, "name": b"x-a", "value": b"1", "length": b"5"}
    for spoilt in (usual[place] + bad, bad + usual[place], bad, usual[place][:1] + bad + usual[place][1:]):
        given = {**usual, place: spoilt}
        with pytest.raises(NotSendable) as refused:
            written(given["method"], given["target"], given["host"], [(given["name"], given["value"])], given["length"])
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("method", [b"", b"GET ", b"GE T", b"GET/", "GÉT".encode()])
def test_a_method_is_a_token(method: bytes) -> None:
    with pytest.raises(NotSendable):
        Request(method, b"/", HOST, [])


@pytest.mark.parametrize("target", [b"", b"x", b"http://h/", b"/a b", b"/\xc3\xa9", b"/a\tb", b"**", b" /", b"/ "])
def test_a_target_is_visible_ascii_and_begins_with_a_slash(target: bytes) -> None:
    with pytest.raises(NotSendable):
        Request(b"GET", target, HOST, [])


@pytest.mark.parametrize("name", [b"", b"x a", b"x:a", b"x-a ", b" x-a", b"X-A", b"x\xe9", b"(x)", b"x,y"])
def test_a_headers_name_is_a_token_in_small_letters(name: bytes) -> None:
    with pytest.raises(NotSendable):
        Request(b"GET", b"/", HOST, [(name, b"1")])


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding", b"connection"])
def test_where_a_request_goes_and_ends_is_no_header_of_a_callers(name: bytes) -> None:
    with pytest.raises(NotSendable):
        Request(b"GET", b"/", HOST, [(b"x-a", b"1"), (name, b"1")])


@pytest.mark.parametrize("length", [b"", b"-1", b"+1", b"1, 1", b"0x5", b"1 ", b"9" * 19])
def test_a_length_is_a_number(length: bytes) -> None:
    with pytest.raises(NotSendable):
        Request(b"POST", b"/", HOST, [], nothing(), length)


def test_what_is_allowed_is_written_as_it_is() -> None:
    headers = [(b"x-a", b"\t 1\xff\xe9"), (b"!#$%&'*+-.^_`|~", b""), (b"x-a", b"2")]
    lines = b"host: replica.example\r\nx-a: \t 1\xff\xe9\r\n!#$%&'*+-.^_`|~: \r\nx-a: 2\r\n"
    request = Request(b"GET", b"/a%2F;b?c=%0d%0a&d#e", HOST, headers)
    assert request.head == b"GET /a%2F;b?c=%0d%0a&d#e HTTP/1.1\r\n" + lines + b"\r\n"
    assert (request.bodyless, request.length) == (False, 0)
    assert Request(b"OPTIONS", b"*", HOST, []).head == b"OPTIONS * HTTP/1.1\r\nhost: replica.example\r\n\r\n"
    assert Request(b"HEAD", b"/", HOST, []).bodyless
    whole = Request(b"DELETE", b"/", HOST, headers, b"\r\n\r\nbody")
    assert whole.head == b"DELETE / HTTP/1.1\r\n" + lines + b"content-length: 8\r\n\r\n\r\n\r\nbody"
    assert Request(b"POST", b"/", HOST, []).head.endswith(b"content-length: 0\r\n\r\n")
    following = Request(b"POST", b"/", HOST, [], nothing(), b"007")
    assert (following.head[-21:], following.length) == (b"content-length: 7\r\n\r\n", 7)
    chunked = Request(b"GET", b"/", HOST, [], nothing())
    assert chunked.head.endswith(b"transfer-encoding: chunked\r\n\r\n")
    assert chunked.length is None


@given(method=text, target=text, host=text, headers=st.lists(st.tuples(names, text), max_size=4), body=text)
@example(b"GET", b"/", HOST, [(b"x", b"a\r\ny: b")], b"")
@example(b"GET", b"/", HOST, [(b"x: a\r\ny", b"b")], b"")
@example(b"GET", b"/", b"h\r\nx: y", [], b"")
@example(b"POST", b"/ HTTP/1.1\r\nhost: h\r\n\r\nGET /", HOST, [], b"body")
def test_a_head_says_what_was_given_and_nothing_else(
    method: bytes, target: bytes, host: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """Read back by its lines alone, there is one request, with these parts and no other."""
    try:
        sent = Request(method, target, host, headers, body).head
    except NotSendable:
        return
    head, end, rest = sent.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (first.split(b" "), end, rest) == ([method, target, b"HTTP/1.1"], b"\r\n\r\n", body)
    framing = [b"content-length: %d" % len(body)] if body or method in (b"POST", b"PUT", b"PATCH") else []
    assert lines == [b"host: " + host, *(name + b": " + value for name, value in headers), *framing]
    assert sent[: len(head)].count(b"\n") == sent[: len(head)].count(b"\r") == len(lines)


def written(
    method: bytes, target: bytes, host: bytes, headers: list[tuple[bytes, bytes]], length: bytes = b"5"
) -> bytes:
    return Request(method, target, host, headers, nothing(), length).head


async def nothing() -> AsyncIterator[bytes]:
    yield b""
