"""The event of a request, whole."""

from __future__ import annotations

from typing import Any

from cloud.api.event import forwarded, proxy_event, queried


def made(**more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "method": "POST",
        "path": "/a%20b",
        "headers": [("content-type", "image/png; x=1")],
        "query": queried("a=1&b=x+y%26&a=%C3%A9&c"),
        "body": b"\x00\xff",
        "binary_types": ["image/*"],
        "resource": "/{proxy+}",
        "parameters": {"proxy": "a%20b"},
        "variables": {"v": "1"},
        "context": {"stage": "live"},
    }
    return proxy_event(**{**given, **more})


def test_an_event_has_every_value_once_and_as_a_list() -> None:
    assert made() == {
        "resource": "/{proxy+}",
        "path": "/a%20b",
        "httpMethod": "POST",
        "headers": {"content-type": "image/png; x=1"},
        "multiValueHeaders": {"content-type": ["image/png; x=1"]},
        "queryStringParameters": {"a": "é", "b": "x y&", "c": ""},
        "multiValueQueryStringParameters": {"a": ["1", "é"], "b": ["x y&"], "c": [""]},
        "pathParameters": {"proxy": "a%20b"},
        "stageVariables": {"v": "1"},
        "requestContext": {"stage": "live"},
        "body": "AP8=",
        "isBase64Encoded": True,
    }


def test_what_is_not_there_is_null() -> None:
    event = made(body=b"", query=[], parameters={}, variables={})
    names = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
    assert ([event[name] for name in names], event["isBase64Encoded"]) == ([None] * 5, False)


def test_text_that_is_no_utf_8_is_replaced() -> None:
    event = made(headers=[("Content-Type", "text/plain")], body=b"a\xffb")
    assert (event["body"], event["isBase64Encoded"]) == ("a\ufffdb", False)


def test_the_api_says_who_asked_and_drops_what_ends_at_it() -> None:
    given = [
        *(("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "http"), ("expect", "100-continue")),
        *(("content-length", "5"), ("x-mine", "1"), ("te", "trailers")),
    ]
    assert forwarded(given, client="127.0.0.1", port=443) == [
        ("x-mine", "1"),
        ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]
