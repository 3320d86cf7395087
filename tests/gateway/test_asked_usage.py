"""Streams of models of format openai, asked for by keys whose tokens have a limit."""

from __future__ import annotations

import json

import pytest

from gateway_lambda.openai.asked_usage import asking_for_usage
from tests.gateway.keys import ALL, record
from tests.gateway.scripted_tgi import stream
from tests.gateway.serving import Bench
from tests.gateway.test_key_limits import CHAT, Caller

pytestmark = pytest.mark.usefixtures("moment")

LIMITED = {**record("three"), "tokens_per_day": 50}
ONE, LAST, TALLY, DONE = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}],"usage":null}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":2}}\n\n',
    b"data: [DONE]\n\n",
)
STREAMED = ONE + LAST + DONE


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
@pytest.mark.parametrize(
    "pieces",
    [
        (ONE, LAST, TALLY, DONE),
        (STREAMED.replace(DONE, TALLY + DONE),),
        (ONE, LAST + TALLY[:30], TALLY[30:-2], b"\n", b"\n", DONE),
        (ONE + LAST + TALLY[:-1], TALLY[-1:] + DONE),
    ],
    ids=["usual", "in one piece", "split", "split before the blank line"],
)
def test_tokens_of_a_stream_count_though_its_caller_did_not_ask_for_them(
    bench: Bench, path: str, pieces: tuple[bytes, ...]
) -> None:
    """The gateway asks for them, and the caller gets what is the answer to its own request."""
    upstream = bench.upstream()
    upstream.usual = stream(*pieces)
    bench.register(
        bench.service("o", auth=True, format="openai", url=upstream.url),
        keys=(LIMITED, ALL),
    )
    caller = Caller(bench)
    body = b'{"model": "m", "top_p": 1.0e0, "stream": true, "stream_options": {"own": 1}, "n": 123456789012345678901}'
    found = [caller.send(body, path) for _ in range(2)]
    assert [(answer.content, answer.headers["x-ratelimit-remaining-tokens"]) for answer in found] == [
        (STREAMED, "50"),
        (STREAMED, "8"),
    ]
    assert caller.send(body, path).status_code == 429
    sent = b'{"model":"m","top_p":1.0e0,"stream":true,"stream_options":{"own":1,"include_usage":true},'
    assert [asked.body for asked in upstream.asked] == [sent + b'"n":123456789012345678901}'] * 2


OWN = "/services/o"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/c%68at/completions", "/v1/completions"])
@pytest.mark.parametrize("format", ["openai", "tgi"])
def test_tokens_of_a_stream_at_the_run_s_own_address_count_too(bench: Bench, path: str, format: str) -> None:
    upstream = bench.upstream()
    upstream.usual = stream(ONE, LAST + TALLY[:30], TALLY[30:] + DONE)
    bench.register(bench.service("o", auth=True, format=format, url=upstream.url), keys=(LIMITED, ALL))
    caller = Caller(bench)
    body = b'{"stream": true, "messages": []}'
    found = [caller.send(body, OWN + path) for _ in range(2)]
    assert [(answer.content, answer.headers["x-ratelimit-remaining-tokens"]) for answer in found] == [
        (STREAMED, "50"),
        (STREAMED, "8"),
    ]
    assert caller.send(body, OWN + path).status_code == 429
    sent = b'{"stream": true, "messages": [],"stream_options":{"include_usage":true}}'
    asked = [(asked.path, asked.body, asked.header("accept-encoding")) for asked in upstream.asked]
    assert asked == [(path, sent, "identity")] * 2


@pytest.mark.parametrize(
    ("key", "path", "body"),
    [
        ("three", "/v1/chat/completions", b'{"stream": true, "stream_options": {"include_usage": true}}'),
        ("three", "/v1/chat/completions", b'{"stream": false}'),
        ("three", "/v1/chat/completions", b"\xff\x00"),
        ("three", "/v1/other", b'{"stream": true}'),
        ("all", "/v1/chat/completions", b'{"stream": true}'),
    ],
    ids=["asked", "no stream", "no JSON", "another route", "no limit"],
)
def test_other_requests_to_the_run_s_own_address_pass_byte_for_byte(
    bench: Bench, key: str, path: str, body: bytes
) -> None:
    upstream = bench.upstream()
    upstream.usual = stream(ONE, LAST, TALLY, DONE)
    bench.register(bench.service("o", auth=True, format="openai", url=upstream.url), keys=(LIMITED, ALL))
    answer = Caller(bench, key).send(body, OWN + path)
    assert (answer.content, upstream.asked[-1].body) == (ONE + LAST + TALLY + DONE, body)


def test_a_stream_at_the_own_address_of_a_run_without_a_model_is_not_touched(bench: Bench) -> None:
    upstream = bench.upstream()
    upstream.usual = stream(ONE, LAST, TALLY, DONE)
    bench.register(bench.service("o", auth=True, model=None, url=upstream.url), keys=(LIMITED,))
    answer = Caller(bench).send(b'{"stream": true}', f"{OWN}/v1/chat/completions")
    assert (answer.content, upstream.asked[-1].body) == (ONE + LAST + TALLY + DONE, b'{"stream": true}')


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("three", b'{"model": "m", "stream": true, "stream_options": {"include_usage": true}}'),
        ("three", b'{"model": "m", "stream": true, "stream_options": [1]}'),
        ("three", b'{"model": "m", "stream": false}'),
        ("three", b'{"model": "m"}'),
        ("all", b'{"model": "m", "stream": true}'),
    ],
    ids=["asked", "refused by its server", "no stream", "not said", "no limit"],
)
def test_other_requests_and_their_answers_pass_byte_for_byte(bench: Bench, key: str, body: bytes) -> None:
    upstream = bench.upstream()
    upstream.usual = stream(ONE, LAST, TALLY, DONE)
    bench.register(
        bench.service("o", auth=True, format="openai", url=upstream.url),
        keys=(LIMITED, ALL),
    )
    answer = Caller(bench, key).send(body)
    assert (answer.content, upstream.asked[-1].body) == (ONE + LAST + TALLY + DONE, body)


ASKED = b'{"stream":%s,"stream_options":{"include_usage":true},"n":1}'


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"stream": true, "stream_options": null, "n": 1}', ASKED % b"true"),
        (b'{"stream": true, "stream_options": {"include_usage": false}, "n": 1}', ASKED % b"true"),
        (b'{"str\\u0065am": 1, "stream_options": {}, "n": 1}', ASKED % b"1"),
        (b'{"n": 1, "stream": true }\r\n', b'{"n": 1, "stream": true ,"stream_options":{"include_usage":true}}'),
        (b'{"n": 1, "stream": null}', None),
        (b'{"n": 1, "stream": 0}', None),
        (b'{"n": 1, "stream": true', None),
        (b"[true]", None),
    ],
)
def test_each_stream_is_asked_for_its_usage_once(body: bytes, sent: bytes | None) -> None:
    assert asking_for_usage(body) == sent


def test_a_prompt_of_any_length_can_be_streamed_where_its_tokens_count(bench: Bench) -> None:
    """A prompt can be a list of tokens. Only options that are there already need all fields of the body."""
    bench.tgi.usual = stream(STREAMED)
    bench.register(bench.service("o", auth=True, format="openai"), keys=(LIMITED,))
    body = {"model": "m", "stream": True, "prompt": [1] * 100_001}
    assert Caller(bench).send(json.dumps(body).encode(), "/v1/completions").content == STREAMED
    assert json.loads(bench.tgi.asked[0].body) == {**body, "stream_options": {"include_usage": True}}
    refused = Caller(bench).send(json.dumps({**body, "stream_options": {}}).encode(), "/v1/completions")
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        400,
        "the body has more than 100000 values; send less",
    )
    assert len(bench.tgi.asked) == 1
