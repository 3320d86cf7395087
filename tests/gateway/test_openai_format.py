"""Models of format openai: requests pass whole, responses are copied, errors get OpenAI's shape."""

from __future__ import annotations

import asyncio
import json

import httpx
import openai
import pytest

from tests.gateway.keys import ALL, secret
from tests.gateway.scripted_tgi import hang_up, never, never_for, reply, stream
from tests.gateway.serving import HI, Bench

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi", "reasoning": "x"}, "finish_reason": "stop"}
    ],
    "own": [1, 2],
}
CHUNKS = [
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"role":"assistant","content":"h"},"finish_reason":null}]}\n\n',
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
    b'{"content":"i"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
]


@pytest.fixture
def served(bench: Bench) -> Bench:
    bench.register(bench.service(format="openai"))
    bench.tgi.usual = reply(200, json.dumps(COMPLETION), **{"x-request-id": "theirs"})
    return bench


def test_requests_and_answers_pass_whole(served: Bench) -> None:
    body = b'{"model": "m",  "unknown": [1, {"a": null}], "temperature": 99, "messages": "anything"}'
    response = served.post(body, path="/v1/chat/completions?x=%20y")
    assert (response.status_code, response.json(), response.headers["x-request-id"]) == (200, COMPLETION, "theirs")
    asked = served.tgi.asked[-1]
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/chat/completions?x=%20y", body)
    assert asked.header("content-type") == "application/json"


def test_a_body_that_begins_with_the_mark_of_windows_is_read_and_passed_on(served: Bench) -> None:
    body = b'\xef\xbb\xbf{"model": "m", "messages": []}'
    assert (served.post(body).json(), served.tgi.asked[-1].body) == (COMPLETION, body)


def test_the_real_client_works(served: Bench) -> None:
    assert served.chat().choices[0].message.content == "hi"
    served.tgi.usual = stream(*CHUNKS)
    with served.client() as client:
        chunks = client.chat.completions.create(model="m", messages=HI, stream=True)  # type: ignore[call-overload]
        assert "".join(chunk.choices[0].delta.content for chunk in chunks) == "hi"


def test_chunks_are_copied_as_they_come(served: Bench) -> None:
    go_on = asyncio.Event()
    served.tgi.usual = stream(CHUNKS[0], go_on.wait(), CHUNKS[1])
    body = {"model": "m", "messages": HI, "stream": True}
    with httpx.stream("POST", f"{served.url}/v1/chat/completions", json=body) as response:
        pieces = response.iter_raw()
        assert next(pieces) == CHUNKS[0]
        served.loop.call(go_on.set)
        assert b"".join(pieces) == CHUNKS[1]


@pytest.mark.parametrize(("prefix", "path"), [("/api/v3/", "/api/v3/embeddings"), ("", "/embeddings")])
def test_any_route_goes_to_the_model_that_the_body_names(served: Bench, prefix: str, path: str) -> None:
    served.register(served.service(format="openai", prefix=prefix), served.service("tgi", model="other"))
    for asked in ("/v1/embeddings", "/embeddings"):
        assert served.post({"model": "m", "input": "x"}, path=asked).status_code == 200
        assert served.tgi.asked[-1].path == path
    response = served.post({"model": "other", "input": "x"}, path="/v1/embeddings")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    response = served.post({"model": "nope", "input": "x"}, path="/v1/embeddings")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    for body in (b"", b"[]", b'{"input": 1}', b'{"model": 1}'):
        assert served.post(body, path="/v1/embeddings").status_code == 404
    assert httpx.get(f"{served.url}/v1/embeddings").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--x--\r\n',
        b"--x\r\nContent-Disposition: form-data; name=model\r\nContent-Type: text/plain\r\n\r\nm\r\n--x--\r\n",
        b'before\r\n--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nname="model"\r\n\r\nn\r\n'
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--x--',
    ],
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", 'Multipart/Form-Data; charset=a; boundary="x"'])
def test_a_form_is_read_as_its_boundary_says(served: Bench, body: bytes, kind: str) -> None:
    url = f"{served.url}/v1/audio/transcriptions"
    assert httpx.post(url, content=body, headers={"content-type": kind}).status_code == 200
    assert served.tgi.asked[-1].body == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'name="model"\r\n' * 500_000,
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n' * 100_000,
        b'--x\r\ncontent-disposition: form-data; name="models"\r\n\r\nm\r\n--x--',
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="model"\r\n\r\nm\r\n--x--',
    ],
)
def test_a_form_without_a_model_is_no_route_and_takes_no_time(served: Bench, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = httpx.post(f"{served.url}/v1/audio/transcriptions", content=body, headers=headers)
    assert response.status_code == 404


def test_a_form_names_its_model_too(served: Bench) -> None:
    files = {"file": ("a.wav", b"\x00model\r\n\r\n\xff", "audio/wav")}
    response = httpx.post(f"{served.url}/v1/audio/transcriptions", data={"model": "m", "language": "en"}, files=files)
    assert response.status_code == 200
    assert served.tgi.asked[-1].path == "/v1/audio/transcriptions"
    assert (served.tgi.asked[-1].header("content-type") or "").startswith("multipart/form-data; boundary=")


@pytest.mark.parametrize("path", ["/v1/%2e%2e/admin", "/v1/a/..%2f..%2fadmin"])
def test_a_path_that_climbs_out_of_the_prefix_is_refused(served: Bench, path: str) -> None:
    url = httpx.URL(served.url).copy_with(raw_path=path.encode())
    assert httpx.post(url, json={"model": "m"}).status_code == 400
    assert served.tgi.asked == []


def test_the_callers_key_stays_here_and_the_upstreams_own_is_sent(served: Bench) -> None:
    key = {"authorization": f"Bearer {secret('all')}"}
    served.register(served.service(format="openai", auth=True), keys=(ALL,))
    url = f"{served.url}/v1/chat/completions"
    assert httpx.post(url, json={"model": "m"}).status_code == 401
    assert httpx.post(url, json={"model": "m"}, headers=key).status_code == 200
    assert served.tgi.asked[-1].header("authorization") is None
    served.register(served.service(format="openai", upstream_api_key="vllm-key"))
    assert httpx.post(url, json={"model": "m"}, headers=key).status_code == 200
    assert served.tgi.asked[-1].header("authorization") == "Bearer vllm-key"


ERRORS: list[tuple[str, int, str, int, str | None, str]] = [
    ("OpenAI's own", 400, '{"error":{"message":"m","type":"t","param":"p","code":"c","more":1}}', 400, "c", "m"),
    (
        "vLLM's older",
        400,
        '{"object":"error","message":"too long","code":400}',
        400,
        "upstream_validation_error",
        "too long",
    ),
    ("FastAPI's", 422, '{"detail":[{"msg":"x"}]}', 422, "upstream_validation_error", '[{"msg":"x"}]'),
    ("text", 404, "Not Found", 404, "not_found", "Not Found"),
    ("HTML", 500, "<html>boom</html>", 500, "upstream_error", "the upstream answered 500"),
    ("empty", 500, "", 500, "upstream_error", "the upstream answered 500"),
    ("busy", 429, '{"error":"slow down"}', 429, "model_overloaded", "slow down"),
    ("down", 503, "", 503, "service_unavailable", "the upstream answered 503"),
    ("a wrong key", 401, '{"error":{"message":"bad key"}}', 502, "upstream_misconfigured", "the gateway's key"),
]


@pytest.mark.parametrize(
    ("status", "body", "seen", "code", "message"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_errors_have_openais_shape(
    served: Bench, status: int, body: str, seen: int, code: str | None, message: str
) -> None:
    served.tgi.usual = reply(status, body)
    with served.client() as client, pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model="m", messages=HI)  # type: ignore[arg-type]
    assert (failed.value.status_code, failed.value.code) == (seen, code)
    assert message in failed.value.message
    if code == "c":
        assert served.post().content == body.encode()


def test_a_second_replica_is_asked_before_the_first_byte(served: Bench) -> None:
    busy = served.upstream()
    busy.usual = reply(429, "")
    for other in (served.nobody(), busy.url):
        served.register(served.service(format="openai", url=[other, served.tgi.url]))
        assert [served.post().status_code for _ in range(4)] == [200] * 4


@pytest.mark.usefixtures("clock")
def test_an_upstream_that_hangs_up_or_never_answers_is_an_error(served: Bench) -> None:
    served.serve(plain_timeout=1)
    served.tgi.usual = hang_up
    assert served.post().json()["error"]["code"] == "upstream_unreachable"
    served.tgi.usual = never_for(1.1)
    response = served.post()
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")


def test_the_upstream_is_closed_when_the_client_leaves(served: Bench) -> None:
    served.tgi.usual = never
    served.leave()
    assert served.tgi.asked[-1].closed.wait(30)
