"""Streams and answers of models of format openai that break, stop too early or are told to end: never in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.scripted_tgi import STREAM_HEAD, Asked, Hangup, Script, Write, broken_stream, reply, stream
from tests.gateway.serving import HI, Bench, read_events
from tests.gateway.standing_clock import silence

DONE = b"data: [DONE]\n\n"


def chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


ONE, LAST = chunk("one"), chunk("", "stop")
TOLD = b'data: {"error":{"message":"out of memory","type":"server_error","param":null,"code":500}}\n\n'


@pytest.fixture
def served(bench: Bench) -> Bench:
    bench.register(bench.service(format="openai"))
    return bench


def passed(bench: Bench, script: Script, path: str = "/v1/chat/completions") -> bytes:
    bench.tgi.usual = script
    response = bench.post(path=path, stream=True)
    assert response.status_code == 200
    return response.content


def error_of(data: bytes, after: bytes) -> dict[str, Any]:
    """The error of the one event that follows `after`, and is the last."""
    assert data.startswith(after)
    (event,) = read_events(data[len(after) :].decode())
    return event["error"]


WHOLE: dict[str, Sequence[bytes]] = {
    "usual": (ONE, LAST, DONE),
    "in one piece": (ONE + LAST + DONE,),
    "byte by byte": [bytes([one]) for one in ONE + LAST + DONE],
    "carriage returns": (ONE, LAST.replace(b"\n", b"\r\n"), b"data: [DONE]\r\n\r\n"),
    "split within a line end": (ONE, b"data: [DONE]\r", b"\n\r", b"\n"),
    "without a blank line": (ONE, b"data: [DONE]\n"),
    "a comment behind it": (ONE, DONE, b": ping\n\n"),
    "without a line end": (ONE, b"data: [DO", b"NE]"),
    "no space": (ONE, b"data:[DONE]\n\n"),
    "comments between": (b": hello\n\n", ONE, b": ping\n", b"\n", DONE),
    "an error and the end": (ONE, TOLD, DONE),
    "an error alone": (ONE, TOLD),
    "an error in pieces": (ONE, TOLD[:20], TOLD[20:]),
}


@pytest.mark.parametrize("pieces", WHOLE.values(), ids=WHOLE)
def test_a_stream_with_its_end_passes_byte_for_byte(served: Bench, pieces: Sequence[bytes]) -> None:
    assert passed(served, stream(*pieces)) == b"".join(pieces)


CUT: dict[str, tuple[Sequence[bytes], bytes]] = {
    "nothing": ((), b""),
    "before the last chunk": ((ONE,), ONE),
    "within an event": ((ONE, LAST[:30]), ONE),
    "within a field's name": ((ONE, b"da"), ONE),
    "within [DONE]": ((ONE, b"data: [DO"), ONE),
    "after a line": ((ONE, LAST[:-1]), ONE + LAST[:-1] + b"\n"),
    "after an event's name": ((ONE, b"event: x\n"), ONE + b"event: x\n"),
    "after a comment": ((ONE, b": ping\n"), ONE + b": ping\n"),
    "text that looks like the end": ((chunk("data: [DONE]\n\n"),), chunk("data: [DONE]\n\n")),
}


@pytest.mark.parametrize("ends", [stream, broken_stream], ids=["ends", "breaks"])
@pytest.mark.parametrize(("pieces", "goes_on"), CUT.values(), ids=CUT)
def test_a_stream_that_is_cut_ends_with_an_error_event(
    served: Bench, ends: Any, pieces: Sequence[bytes], goes_on: bytes
) -> None:
    error = error_of(passed(served, ends(*pieces)), goes_on)
    assert (error["type"], error["code"]) == ("server_error", "upstream_incomplete")


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
SILENT = chunk("two", "")


@pytest.mark.parametrize("more", [{}, {"n": 1}, {"n": None, "prompt": "x"}])
@pytest.mark.parametrize("pieces", [(ONE, LAST), (ONE, LAST, USAGE), (ONE + LAST + USAGE + b": bye\n\n",)])
def test_the_end_is_added_where_a_server_never_sends_it(
    served: Bench, pieces: Sequence[bytes], more: dict[str, Any]
) -> None:
    served.tgi.usual = stream(*pieces)
    assert served.post(stream=True, **more).content == b"".join(pieces) + DONE
    served.tgi.usual = broken_stream(*pieces)
    assert error_of(served.post(stream=True, **more).content, b"".join(pieces))["code"] == "upstream_incomplete"


@pytest.mark.parametrize(
    ("pieces", "more"),
    [
        ((ONE, LAST), {"n": 2}),
        ((ONE, LAST), {"n": "1"}),
        ((ONE, LAST), {"prompt": ["x", "y"]}),
        ((ONE, SILENT), {}),
        ((LAST, ONE), {}),
        ((LAST, USAGE, USAGE), {}),
        ((USAGE,), {}),
        ((b'data: {"choices":[1]}\n\n',), {}),
    ],
)
def test_a_choice_that_has_not_finished_is_no_end(served: Bench, pieces: Sequence[bytes], more: dict[str, Any]) -> None:
    served.tgi.usual = stream(*pieces)
    assert error_of(served.post(stream=True, **more).content, b"".join(pieces))["code"] == "upstream_incomplete"


@pytest.mark.parametrize("ends", [stream, broken_stream], ids=["ends", "breaks"])
@pytest.mark.parametrize("pieces", [(ONE,), (ONE, LAST[:30]), (ONE, b"event: x\n"), (ONE, TOLD)])
def test_the_real_client_raises(served: Bench, ends: Any, pieces: Sequence[bytes]) -> None:
    served.tgi.usual = ends(*pieces)
    with served.client() as client:
        chunks: Any = client.chat.completions.create(model="m", messages=HI, stream=True)  # type: ignore[call-overload]
        assert next(chunks).choices[0].delta.content == "one"
        with pytest.raises(openai.APIError) as raised:
            next(chunks)
    assert raised.value.code == ("500" if TOLD in pieces else "upstream_incomplete")


@pytest.mark.parametrize("end", [TOLD, DONE, TOLD + DONE, DONE[:-2]])
def test_a_connection_that_breaks_after_the_end_changes_nothing(served: Bench, end: bytes) -> None:
    assert passed(served, broken_stream(ONE, end)) == ONE + end


def named(name: str, **more: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n".encode()


LONG = {"response": {"output": "x" * 5000}}


@pytest.mark.parametrize(
    ("path", "end", "whole"),
    [
        ("/v1/responses", named("response.completed", **LONG), True),
        ("/v1/responses", named("response.completed", **LONG) + DONE, True),
        ("/v1/responses", named("response.incomplete"), True),
        ("/v1/responses", named("error", message="m"), True),
        ("/v1/responses", b'data: {"type": "response.completed"}\n\n', True),
        ("/v1/responses", named("response.output_text.delta", delta="\nevent: response.completed\n"), False),
        ("/v1/responses", b"event: response.completed\n", False),
        ("/v1/responses", named("response.completed", **LONG)[:-2], True),
        ("/v1/responses", named("response.completed", response="x" * 200_000), True),
        ("/v1/responses", b"", False),
        ("/v1/messages", named("message_stop"), True),
        ("/v1/messages", named("message_delta"), False),
        ("/v1/audio/speech", b'data: {"type":"speech.audio.done"}\n\n', True),
        ("/v1/audio/speech", b'data: {"type":"speech.audio.delta"}\n\n', True),
        ("/v1/completions", named("message_stop"), False),
    ],
)
def test_other_routes_end_with_events_of_other_names(served: Bench, path: str, end: bytes, whole: bool) -> None:
    first = named("response.created", **LONG)
    pieces = [first, *(end[start : start + 700] for start in range(0, len(end), 700))]
    found = passed(served, stream(*pieces), path)
    if whole:
        assert found == first + end
    else:
        assert error_of(found, first + end)["code"] == "upstream_incomplete"
    error = error_of(passed(served, broken_stream(first, named("x")), path), first + named("x"))
    assert error["code"] == "upstream_incomplete"


def test_a_last_event_that_is_cut_is_no_end(served: Bench) -> None:
    """Its name alone says nothing."""
    last = named("response.completed", **LONG)
    for ends in (stream, broken_stream):
        found = passed(served, ends(named("x"), last[:-9]), "/v1/responses")
        assert error_of(found, named("x") + b"event: response.completed\n")["code"] == "upstream_incomplete"


def test_a_length_is_left_out_where_an_error_may_follow(served: Bench) -> None:
    served.tgi.usual = reply(200, ONE, "text/event-stream; charset=utf-8")
    response = served.post(stream=True)
    assert "content-length" not in response.headers
    assert error_of(response.content, ONE)["code"] == "upstream_incomplete"


@pytest.mark.usefixtures("clock")
def test_a_stream_that_falls_silent_ends_with_an_error_event(served: Bench) -> None:
    served.serve(plain_timeout=1)
    error = error_of(passed(served, stream(ONE, LAST[:9], silence(3))), ONE)
    assert (error["type"], error["code"]) == ("server_error", "upstream_timeout")
    assert served.tgi.asked[-1].closed.wait(30)


def test_lines_of_any_length_pass(served: Bench) -> None:
    long = b"data: " + b"x" * 300_000
    assert passed(served, stream(long[:100_000], long[100_000:], b"\n\n", DONE)) == long + b"\n\n" + DONE
    found, _, error = passed(served, broken_stream(long)).partition(b"\n\n")
    assert long.startswith(found)
    assert error_of(error, b"")["code"] == "upstream_incomplete"
    line = long + b"\n"
    assert error_of(passed(served, broken_stream(line)), line + b"\n")["code"] == "upstream_incomplete"


def test_the_upstream_is_asked_for_what_can_be_read(served: Bench) -> None:
    passed(served, stream(DONE))
    assert [value for name, value in served.tgi.asked[-1].headers if name.lower() == "accept-encoding"] == ["identity"]


def head(kind: str, *lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"content-type: {kind}", *lines, "", ""]).encode()


def breaks(start: bytes, *pieces: bytes) -> Script:
    async def script(asked: Asked, write: Write) -> None:
        for piece in (start, *pieces):
            await write(piece)
        raise Hangup

    return script


def test_an_encoded_stream_that_breaks_ends_the_clients_connection(served: Bench) -> None:
    """Nothing can be said in it."""
    start = head("text/event-stream", "content-encoding: br", "transfer-encoding: chunked")
    served.tgi.usual = breaks(start, b"3\r\nabc\r\n")
    with pytest.raises(httpx.RemoteProtocolError):
        served.post(stream=True)


@pytest.mark.parametrize(
    "script",
    [
        breaks(head("application/json", "content-length: 100"), b'{"choices": '),
        breaks(head("Application/JSON; charset=utf-8", "transfer-encoding: chunked"), b"2\r\n{}\r\n"),
        breaks(head("application/problem+json", "content-length: 100"), b""),
        breaks(head("application/json", "connection: close"), b'{"choices": [{"message": {"content": "a"}}]'),
        reply(200, '{"choices": [{"message": {"content": "a'),
    ],
)
def test_an_answer_in_json_that_breaks_off_is_an_error(served: Bench, script: Script) -> None:
    served.tgi.usual = script
    response = served.post()
    assert (response.status_code, response.json()["error"]["code"]) == (500, "upstream_incomplete")


@pytest.mark.parametrize(
    ("kind", "size"), [("audio/mpeg", 10), ("application/x-ndjson", 10), ("application/json", 2_000_000)]
)
def test_another_answer_that_breaks_off_ends_the_clients_connection(served: Bench, kind: str, size: int) -> None:
    served.tgi.usual = breaks(head(kind, f"content-length: {size + 1}"), b"x" * size)
    with pytest.raises(httpx.RemoteProtocolError):
        served.post()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
@pytest.mark.parametrize("size", [0, 10, 700_000, 2_000_000])
def test_an_answer_in_json_of_any_size_passes_whole(served: Bench, size: int, path: str) -> None:
    body = bytes(range(97, 123)) * (size // 26) + b"x" * (size % 26)
    served.tgi.usual = reply(200, body)
    response = served.post(path=path)
    assert (response.content, response.headers["content-length"]) == (body, str(size))


def test_a_list_of_embeddings_is_read_only_where_its_length_is_unknown(served: Bench) -> None:
    """A length says where it ends. Without one, a list that a broken connection has cut looks like a whole one."""
    cut = b'{"object": "list", "data": [{"embedding": [0.5'
    served.tgi.usual = reply(200, cut)
    assert served.post(path="/v1/embeddings").content == cut
    served.tgi.usual = breaks(head("application/json", "connection: close"), cut)
    response = served.post(path="/v1/embeddings")
    assert (response.status_code, response.json()["error"]["code"]) == (500, "upstream_incomplete")


@pytest.mark.parametrize("start", [STREAM_HEAD, head("text/event-stream", "content-length: 5000")])
def test_a_runs_own_stream_that_breaks_says_so_and_ends_the_connection(bench: Bench, start: bytes) -> None:
    bench.tgi.usual = breaks(start, b"%x\r\n%s\r\n" % (len(ONE), ONE) if start is STREAM_HEAD else ONE)
    with httpx.stream("GET", f"{bench.url}/services/run/own") as response:
        found: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            found.extend(response.iter_raw())
    if start is STREAM_HEAD:
        assert error_of(b"".join(found), ONE + b"\n\n")["code"] == "upstream_incomplete"
    else:
        assert b"".join(found) == ONE
