"""Compressed bodies, clients of HTTP/1.0, and paths with more slashes than needed."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

from tests.gateway.raw_http import Caller, ask, chat
from tests.gateway.scripted_tgi import INFO, reply
from tests.gateway.serving import HI, Bench, read_events

BODY = json.dumps({"model": "m", "messages": HI}).encode()


def post(bench: Bench, content: bytes, coding: str, path: str = "/v1/chat/completions") -> httpx.Response:
    headers = {"content-type": "application/json", "content-encoding": coding}
    return bench.http.post(bench.url + path, content=content, headers=headers)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_a_compressed_request_is_served(bench: Bench, coding: str) -> None:
    response = post(bench, gzip.compress(BODY), coding)
    assert (response.status_code, response.json()["choices"][0]["message"]["content"]) == (200, "Hello world")


def test_identity_is_no_coding(bench: Bench) -> None:
    assert post(bench, BODY, "identity").status_code == 200


def test_a_body_that_was_decoded_on_its_way_is_served(bench: Bench) -> None:
    """AWS's API decodes bodies by itself."""
    assert post(bench, BODY, "gzip").status_code == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", ""])
def test_other_codings_are_refused_with_the_one_that_works(bench: Bench, coding: str) -> None:
    response = post(bench, BODY, coding)
    error = response.json()["error"]
    assert (response.status_code, response.headers["accept-encoding"], error["code"]) == (
        415,
        "gzip",
        "unsupported_value",
    )
    assert error["message"] == (
        f"Content-Encoding: found {coding!r}, but only gzip can be decoded here; send the body without a coding, or "
        "with gzip"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x1f\x8b" + BODY, "Error -3 while decompressing data: unknown compression method"),
        (gzip.compress(BODY)[:-9], "it ends too early"),
        (gzip.compress(BODY) + gzip.compress(b" "), "bytes follow its end"),
    ],
    ids=["not gzip", "cut", "two members"],
)
def test_broken_gzip_is_refused(bench: Bench, content: bytes, problem: str) -> None:
    response = post(bench, content, "gzip")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_value")
    assert response.json()["error"]["message"] == f"the body is broken gzip: {problem}"


def test_the_bound_holds_for_what_is_decoded(bench: Bench) -> None:
    bench.serve(max_body_bytes=100_000)
    fits, bomb = (BODY + b" " * (100_000 + more - len(BODY)) for more in (0, 1))
    assert post(bench, gzip.compress(fits), "gzip").status_code == 200
    for content in (bomb, bytes(50_000_000)):
        response = post(bench, gzip.compress(content), "gzip")
        assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


def test_a_compressed_body_counts_as_long_as_it_can_become(bench: Bench) -> None:
    bench.serve(max_body_bytes=1000, max_open_bytes=999)
    assert post(bench, BODY, "identity").status_code == 503
    assert bench.post().status_code == 200


def test_a_model_that_speaks_openai_gets_the_body_decoded(bench: Bench) -> None:
    bench.register(bench.service(format="openai", prefix="/v1"))
    bench.tgi.usual = reply(200, "{}", "application/json")
    assert post(bench, gzip.compress(BODY), "gzip").status_code == 200
    assert (bench.tgi.asked[-1].body, bench.tgi.asked[-1].header("content-encoding")) == (BODY, None)


def test_a_run_gets_its_body_as_it_came(bench: Bench) -> None:
    for coding in ("gzip", "br"):
        assert post(bench, b"\x1f\x8b\x00", coding, "/services/run/generate").status_code == 200
        assert bench.tgi.asked[-1].body == b"\x1f\x8b\x00"
        assert bench.tgi.asked[-1].header("content-encoding") == coding


SHAPED = {"error": {"message": "no", "type": "t", "param": "p", "code": "c"}}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (SHAPED, SHAPED["error"]),
        (
            {"detail": "too odd"},
            {
                "message": "too odd",
                "type": "invalid_request_error",
                "param": None,
                "code": "upstream_validation_error",
            },
        ),
    ],
    ids=["OpenAI's shape", "another shape"],
)
@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_error_is_decoded(bench: Bench, said: Any, shown: Any, coding: str, encode: Any) -> None:
    bench.register(bench.service(format="openai", prefix="/v1"))
    encoded = encode(json.dumps(said).encode())
    bench.tgi.usual = reply(422, encoded, "application/json", **{"content-encoding": coding})
    response = bench.post()
    assert (response.status_code, response.headers.get("content-encoding")) == (422, None)
    assert response.json() == {"error": shown}


@pytest.mark.parametrize("stream", [False, True])
def test_a_compressed_error_of_tgi_is_decoded(bench: Bench, stream: bool) -> None:
    said = gzip.compress(b'{"error":"Input validation error: too odd","error_type":"validation"}')
    bench.tgi.usual = reply(422, said, "application/json", **{"content-encoding": "gzip"})
    response = bench.post(stream=stream)
    assert (response.status_code, response.json()["error"]["message"]) == (400, "too odd")


def test_an_error_in_an_unknown_coding_shows_no_bytes(bench: Bench) -> None:
    bench.register(bench.service(format="openai", prefix="/v1"))
    bench.tgi.usual = reply(422, b"\x1b\x03", "application/json", **{"content-encoding": "br"})
    assert bench.post().json()["error"]["message"] == "the upstream answered 422"


def old(request: bytes) -> bytes:
    return request.replace(b"HTTP/1.1", b"HTTP/1.0")


def test_a_client_of_http_1_0_gets_no_chunks(bench: Bench) -> None:
    port = int(bench.url.rpartition(":")[2])
    with Caller(port) as caller:
        answer = caller.send(old(chat(stream=True))).answer()
        assert (answer.status, answer.closes, answer.headers.get("transfer-encoding")) == (200, True, None)
        events = read_events(caller.rest().decode())
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])
    assert (text, events[-1]) == ("Hello world", "[DONE]")


def test_a_client_of_http_1_0_gets_lengths_where_they_are_known(bench: Bench) -> None:
    port = int(bench.url.rpartition(":")[2])
    answer = ask(port, old(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert (answer.status, answer.closes, answer.body) == (200, True, b'{"status":"ok"}')
    head = ask(port, old(b"HEAD /services/run/x HTTP/1.1\r\nHost: h\r\n\r\n"))
    assert (head.status, head.closes, head.headers.get("transfer-encoding")) == (200, True, None)


@pytest.mark.parametrize("path", ["/v1//models", "/v1/models/", "//v1/models", "/models//", "/v1/models/m/"])
def test_more_slashes_are_the_same_route(bench: Bench, path: str) -> None:
    plain = "/v1/models/m" if "/m/" in path else "/v1/models"
    assert bench.http.get(bench.url + path).json() == bench.http.get(bench.url + plain).json()


def test_a_slash_at_the_end_reaches_a_model_without_it(bench: Bench) -> None:
    bench.register(bench.service(format="openai", prefix="/v1"))
    bench.tgi.usual = reply(200, "{}", "application/json")
    for path in ("/v1/embeddings/", "/v1//embeddings", "/embeddings"):
        assert bench.post(path=path).status_code == 200
        assert bench.tgi.asked[-1].path == "/v1/embeddings"


def test_both_names_of_the_health_check(bench: Bench) -> None:
    for path in ("/health", "/healthz", "/v1/health", "/health/"):
        assert bench.http.get(bench.url + path).json() == {"status": "ok"}


def test_models_show_what_is_known_of_them(bench: Bench) -> None:
    bench.register(
        bench.service(),
        bench.service("told", model="t", limits={"max_total_tokens": 100}, tools="off", vision=True),
        bench.service("other", model="o", format="openai"),
        bench.service("vectors", model="v", format="openai", generates=False),
    )

    def shown() -> list[dict[str, Any]]:
        return [
            {name: value for name, value in model.items() if name not in ("object", "created", "owned_by")}
            for model in bench.http.get(f"{bench.url}/v1/models").json()["data"]
        ]

    told = {"id": "t", "context_length": 100, "max_model_len": 100, "capabilities": ["completion", "vision"]}
    able = ["completion", "tools"]
    vectors = {"id": "v", "capabilities": list[str]()}
    assert shown() == [{"id": "m", "capabilities": able}, told, {"id": "o"}, vectors]
    assert bench.tgi.asked == []
    assert bench.post().status_code == 200
    asked = len(bench.tgi.asked)
    length = INFO["max_total_tokens"]
    known = {"id": "m", "context_length": length, "max_model_len": length, "capabilities": able}
    assert shown() == [known, told, {"id": "o"}, vectors]
    assert len(bench.tgi.asked) == asked


def test_the_address_of_a_run_is_tgis_own(bench: Bench) -> None:
    """TGI answers to any model name there, and `tgi` is the one that its documentation uses."""
    bench.serve(domain="example.com")
    bench.tgi.usual = reply(200, '{"model":"real"}', "application/json")
    body = b'{"model": "tgi", "messages": []}'
    headers = {"host": "run.example.com", "content-type": "application/json"}
    response = bench.http.post(f"{bench.url}/v1/chat/completions", content=body, headers=headers)
    assert (response.status_code, response.content) == (200, b'{"model":"real"}')
    assert (bench.tgi.asked[-1].path, bench.tgi.asked[-1].body) == ("/v1/chat/completions", body)
