"""What becomes of a function's answer, and what the API says by itself."""

from __future__ import annotations

import json

import pytest

from cloud.api.answer import DELIMITER, Head, Metadata, Unreadable, whole_answer
from cloud.api.deployed import CustomResponse, Deployment
from cloud.api.own_responses import own_response
from cloud.api.throttle import Bucket


def test_metadata_ends_at_eight_null_bytes_wherever_they_are_cut() -> None:
    text = b'{"statusCode":201,"headers":{"X-A":"1"},"cookies":["a=1","b=2"]}'
    data = text + DELIMITER + b"payload"
    wanted = Head(201, (("x-a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")))
    for cut in range(len(data)):
        metadata = Metadata()
        first = metadata.add(data[:cut])
        head, payload = first or metadata.add(data[cut:]) or (None, b"")
        assert (head, payload + (data[cut:] if first else b"")) == (wanted, b"payload"), cut


def test_headers_are_renamed_left_out_or_passed_on() -> None:
    given = {"WWW-Authenticate": "Basic", "Content-Length": "5", "Transfer-Encoding": "chunked", "X-N": 5, "X-B": True}
    several = {"X-Many": ["a", "b"]}
    head, body = whole_answer(
        json.dumps(
            {
                "statusCode": 200,
                "headers": {**given, "x-many": "c"},
                "multiValueHeaders": several,
                "body": "aGk=",
                "isBase64Encoded": True,
            }
        ).encode()
    )
    assert (head.headers, body) == (
        (
            *(("x-amzn-remapped-www-authenticate", "Basic"), ("x-n", "5"), ("x-b", "true")),
            *(("x-many", "a"), ("x-many", "b")),
        ),
        b"hi",
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"ok",
        b"[]",
        b"{}",
        b'{"statusCode": "no"}',
        b'{"statusCode": 99}',
        b'{"statusCode": 600}',
        b'{"statusCode": 200, "headers": {"a": []}}',
        b'{"statusCode": 200, "body": {}}',
        b'{"statusCode": 200, "body": "x", "isBase64Encoded": true}',
    ],
)
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        whole_answer(text)


def test_an_answer_that_is_not_streamed_is_refused_where_a_stream_is_expected() -> None:
    metadata = Metadata()
    assert metadata.add(b'{"statusCode": 200}') is None
    with pytest.raises(Unreadable, match="eight null bytes"):
        metadata.add(b"x" * (1 << 20))


@pytest.mark.parametrize(
    ("custom", "kind", "status", "body"),
    [
        ({}, "THROTTLED", 429, '{"message":"Too Many Requests"}'),
        ({"THROTTLED": "400"}, "THROTTLED", 400, "THROTTLED Too Many Requests -"),
        ({"DEFAULT_4XX": None}, "THROTTLED", 429, "DEFAULT_4XX Too Many Requests -"),
        ({"DEFAULT_5XX": "503", "INTEGRATION_TIMEOUT": None}, "INTEGRATION_FAILURE", 503, "DEFAULT_5XX Internal"),
        ({"DEFAULT_5XX": "503", "INTEGRATION_TIMEOUT": None}, "INTEGRATION_TIMEOUT", 504, "INTEGRATION_TIMEOUT End"),
    ],
)
def test_a_customized_error_comes_before_the_default_of_its_class(
    custom: dict[str, str | None], kind: str, status: int, body: str
) -> None:
    responses = {
        name: CustomResponse(given, {"text/plain": f"{name} $context.error.message $context.nothing"}, {"X-A": "1"})
        for name, given in custom.items()
    }
    found = own_response(kind, Deployment([], [], responses, own_address=True), {"requestId": "r"})
    assert (found.status, found.body.decode().startswith(body)) == (status, True), found.body
    assert found.headers.get("x-a") == ("1" if custom else None)


def test_a_bucket_fills_again_with_time() -> None:
    now = 0.0
    bucket = Bucket(2.0, 3.0, lambda: now)
    assert [bucket.takes() for _ in range(4)] == [True, True, True, False]
    now = 1.0
    assert [bucket.takes() for _ in range(3)] == [True, True, False]
    now = 100.0
    assert [bucket.takes() for _ in range(4)] == [True, True, True, False]
