"""What a stream becomes: P58 to P71, and related cases."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.scripted_tgi import (
    Asked,
    Write,
    answer,
    broken_stream,
    error_event,
    events,
    never,
    never_for,
    stream,
)
from tests.gateway.serving import HI, Bench, read_events
from tests.gateway.standing_clock import silence

TOO_LONG = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. "
    "Given: 4000 `inputs` tokens and 500 `max_new_tokens`"
)


def deltas(found: list[Any]) -> list[Any]:
    """(delta, finish_reason) of each chunk; other data as it is."""
    return [
        (each["choices"][0]["delta"], each["choices"][0]["finish_reason"]) if isinstance(each, dict) else each
        for each in found
    ]


HELLO = [
    ({"role": "assistant", "content": ""}, None),
    ({"content": "Hel"}, None),
    ({"content": "lo"}, None),
    ({"content": " world"}, None),
    ({}, "stop"),
    "[DONE]",
]


def test_p58_a_stream_is_a_role_the_tokens_an_end(bench: Bench) -> None:
    response = bench.post(stream=True)
    headers = {name: response.headers.get(name) for name in ("content-type", "cache-control", "x-accel-buffering")}
    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
    }
    assert response.headers["x-request-id"]
    found = read_events(response.text)
    assert deltas(found) == HELLO
    assert {(each["id"], each["created"], each["object"], each["model"]) for each in found[:-1]} == {
        (found[0]["id"], found[0]["created"], "chat.completion.chunk", "m")
    }
    assert {key for each in found[:-1] for key in each} == {
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "choices",
    }
    assert [(each.path, "stream" in each.json) for each in bench.tgi.generated] == [("/generate_stream", False)]


def test_p58_through_the_real_client(bench: Bench) -> None:
    with bench.client() as client:
        chunks = list(client.chat.completions.create(model="m", messages=HI, stream=True))  # type: ignore[call-overload]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Hel", "lo", " world", None]


def test_p59_usage_comes_last_and_is_null_before(bench: Bench) -> None:
    found = bench.events(stream_options={"include_usage": True})
    assert [each["usage"] for each in found[:-2]] == [None] * 5
    assert (found[-2]["choices"], found[-2]["usage"], found[-1]) == (
        [],
        {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11},
        "[DONE]",
    )


def test_p61_the_last_tokens_text_is_delivered(bench: Bench) -> None:
    bench.tgi.replies.append(answer("Hel", "lo", " world", finish="length"))
    assert deltas(bench.events(max_tokens=3))[3:] == [({"content": " world"}, None), ({}, "length"), "[DONE]"]


def test_p62_a_stop_string_ends_the_stream_and_the_upstreams_work(bench: Bench) -> None:
    bench.tgi.replies.append(stream(*events("A", "#", "##", finish=None), asyncio.Event().wait()))
    found = bench.events(stop=["###"], stream_options={"include_usage": True})
    assert deltas(found[:-2]) == [HELLO[0], ({"content": "A"}, None), ({}, "stop")]
    assert found[-2]["usage"]["completion_tokens"] == 3
    assert bench.tgi.generated[0].closed.wait(60)


def test_p63_what_looked_like_a_stop_is_delivered(bench: Bench) -> None:
    bench.tgi.replies.append(answer("A", "#", "B", "</s>*"))
    found = deltas(bench.events(stop=["###"]))
    assert [delta for delta, _ in found[1:-1]] == [{"content": "A"}, {"content": "#B"}, {}]


def test_p64_control_tokens_show_nothing(bench: Bench) -> None:
    bench.tgi.replies.append(answer("a", "<X>*", "b", "</s>*"))
    assert deltas(bench.events())[1:-2] == [({"content": "a"}, None), ({"content": "b"}, None)]


def _as_pieces(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 100_000])
def test_p65_comments_line_ends_and_cut_characters_change_nothing(bench: Bench, size: int) -> None:
    first, second, third, last = events("H€l", "lo", " wörld", "</s>*", text="")
    text = b":\n\n" + first + b":\r\n\r\n" + second.replace(b"\n", b"\r\n") + third.replace(b"data:", b"data: ")
    text += b":keep\n\n" + last.replace(b"\n", b"\r")
    bench.tgi.replies.append(stream(*_as_pieces(text, size)))
    assert [delta.get("content") for delta, _ in deltas(bench.events())[:-1]] == ["", "H€l", "lo", " wörld", None]


@pytest.mark.parametrize("stream_", [True, False])
def test_p66_several_choices_each_have_their_own_role_and_end(bench: Bench, stream_: bool) -> None:
    bench.tgi.replies.extend([answer("a", "</s>*"), answer("b", "</s>*")])
    if not stream_:
        completion = bench.chat(n=2)
        assert sorted(choice.message.content for choice in completion.choices) == ["a", "b"]
        assert [choice.index for choice in completion.choices] == [0, 1]
        assert completion.usage.model_dump(include={"prompt_tokens", "completion_tokens"}) == {
            "prompt_tokens": 7,
            "completion_tokens": 4,
        }
        return
    found = bench.events(n=2, stream_options={"include_usage": True})
    for index in (0, 1):
        own = [each["choices"][0] for each in found[:-2] if each["choices"][0]["index"] == index]
        assert [choice["delta"].get("role") for choice in own] == ["assistant", None, None]
        assert own[1]["delta"]["content"] in ("a", "b")
        assert [choice["finish_reason"] for choice in own] == [None, None, "stop"]
    assert [each["choices"] for each in found[:-1] if not each["choices"]] == [[]]
    assert (found[-2]["usage"]["prompt_tokens"], found[-2]["usage"]["completion_tokens"]) == (7, 4)


def test_p67_an_error_as_the_first_event_is_a_status(bench: Bench) -> None:
    bench.tgi.replies.append(stream(error_event(TOO_LONG, "validation")))
    with bench.client() as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="m", messages=HI, stream=True)  # type: ignore[call-overload]
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    assert "maximum context length is 4096 tokens" in refused.value.message


def test_p68_an_error_after_tokens_is_an_event_and_no_end(bench: Bench) -> None:
    failure = error_event("Request failed during generation: out of memory", "generation")
    bench.tgi.replies.append(stream(*events("a", "b", finish=None), failure))
    found = bench.events()
    assert deltas(found[:-1]) == [HELLO[0], ({"content": "a"}, None), ({"content": "b"}, None)]
    assert found[-1] == {
        "error": {
            "message": "Request failed during generation: out of memory",
            "type": "server_error",
            "param": None,
            "code": "generation_failed",
        }
    }
    bench.tgi.replies.append(stream(*events("a", "b", finish=None), failure))
    with bench.client() as client, pytest.raises(openai.APIError) as failed:
        list(client.chat.completions.create(model="m", messages=HI, stream=True))  # type: ignore[call-overload]
    assert failed.value.code == "generation_failed"


def test_a_last_event_without_its_empty_line_is_taken_at_a_proper_end(bench: Bench) -> None:
    first, last = events("a", "b", finish="length")
    for missing in (1, 2):
        bench.tgi.replies.append(stream(first, last[:-missing]))
        assert deltas(bench.events()) == [
            HELLO[0],
            ({"content": "a"}, None),
            ({"content": "b"}, None),
            ({}, "length"),
            "[DONE]",
        ]


def test_an_event_without_end_is_given_up(bench: Bench) -> None:
    lines = b"data:" + b"x" * 100_000 + b"\n"
    for endless in (lines, b"x" * 100_000):
        bench.tgi.replies.append(stream(*events("a", finish=None), *[endless] * 200))
        assert bench.events()[-1]["error"]["code"] == "upstream_error"
        assert bench.tgi.generated[-1].closed.wait(60)


@pytest.mark.parametrize("cut", [stream, broken_stream])
@pytest.mark.parametrize("half", [b"", b'data:{"index":3,"tok'])
def test_p69_an_upstream_that_leaves_early_is_an_error(bench: Bench, cut: Any, half: bytes) -> None:
    pieces = [*events("a", "b", finish=None), *([half] if half else [])]
    bench.tgi.replies.append(cut(*pieces))
    found = bench.events()
    assert [each["choices"][0]["delta"].get("content") for each in found[:-1]] == ["", "a", "b"]
    assert found[-1]["error"]["code"] == "upstream_incomplete"


def test_p70_silence_is_filled_with_comments(bench: Bench) -> None:
    """The stream begins after 0.05 s and has comments every 0.1 s. The silence lasts for three comments."""
    bench.serve(commit_after=0.05, keep_alive=0.1)
    go_on = asyncio.Event()

    async def slowly(asked: Asked, write: Write) -> None:
        await go_on.wait()
        await answer("Hel", "lo", " world", "</s>*")(asked, write)

    bench.tgi.replies.append(slowly)
    with httpx.stream(
        "POST", f"{bench.url}/v1/chat/completions", json={"model": "m", "messages": HI, "stream": True}
    ) as response:
        lines = response.iter_lines()
        assert '"role":"assistant"' in next(lines)
        silence = [next(lines) for _ in range(7)]
        assert [line for line in silence if line] == [": keep-alive"] * 3
        bench.loop.call(go_on.set)
        rest = [line for line in lines if line.startswith("data: ")]
    assert deltas(read_events("\n".join(rest))) == HELLO[1:]


def test_p71_the_upstream_is_closed_when_the_client_leaves(bench: Bench) -> None:
    bench.tgi.replies.append(stream(*events("a", finish=None), asyncio.Event().wait()))
    with bench.client() as client:
        found = client.chat.completions.create(model="m", messages=HI, stream=True)  # type: ignore[call-overload]
        next(found)
        found.close()
        assert bench.tgi.generated[0].closed.wait(60)


def test_p71_the_upstream_is_closed_when_the_client_leaves_before_the_first_token(bench: Bench) -> None:
    bench.tgi.replies.append(never)
    bench.leave(stream=True)
    assert bench.tgi.generated[0].closed.wait(60)


@pytest.mark.usefixtures("clock")
def test_an_upstream_that_falls_silent_is_given_up(bench: Bench) -> None:
    bench.serve(idle_timeout=1, keep_alive=0.1)
    bench.tgi.replies.append(stream(*events("a", finish=None), silence(2)))
    found = bench.events()
    assert [each["choices"][0]["delta"].get("content") for each in found[:-1]] == ["", "a"]
    assert found[-1]["error"]["code"] == "upstream_timeout"
    assert bench.tgi.generated[0].closed.wait(60)


@pytest.mark.usefixtures("clock")
def test_an_upstream_that_never_begins_is_a_timeout(bench: Bench) -> None:
    bench.serve(idle_timeout=0.1)
    bench.tgi.replies.append(never_for(0.2))
    response = bench.post(stream=True)
    assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.usefixtures("clock")
def test_comments_of_the_upstream_count_as_life(bench: Bench) -> None:
    """1.2 s of comments, where more than 1 s of silence is too much."""
    bench.serve(idle_timeout=1, keep_alive=5)
    pass_time = bench.loop.loop.pass_time
    comments = [piece for _ in range(6) for piece in (pass_time(0.2), b":\n\n")]
    more = [piece for _ in range(6) for piece in (pass_time(0.2), b":\n\n")]
    bench.tgi.replies.append(stream(*more, events("a", finish=None)[0], *comments, events("b")[0]))
    assert deltas(bench.events())[1:] == [({"content": "a"}, None), ({"content": "b"}, None), ({}, "stop"), "[DONE]"]


def test_garbage_in_a_stream_is_an_error_after_what_came_before_it(bench: Bench) -> None:
    bench.tgi.replies.append(stream(events("a", finish=None)[0] + b"data: <html>\n\n"))
    found = bench.events()
    assert found[1]["choices"][0]["delta"] == {"content": "a"}
    assert found[-1]["error"]["code"] == "upstream_error"


def test_connections_are_used_again_after_streams(bench: Bench) -> None:
    for _ in range(5):
        bench.events()
    assert bench.tgi.connections == 1
