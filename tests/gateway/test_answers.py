"""What a whole answer becomes: P50 to P57, and related cases."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.scripted_tgi import Script, answer, reply, stream
from tests.gateway.serving import Bench

ANSWERS: list[tuple[str, dict[str, Any], Script, tuple[str, str, int]]] = [
    ("P50", {"stop": ["###"]}, answer("A", "#", "##", finish="stop_sequence", text="A###"), ("A", "stop", 3)),
    (
        "P51",
        {"stop": ["lo"]},
        answer("ip", "sum do", "lor sit", finish="length", text="ipsum dolor sit"),
        ("ipsum do", "stop", 3),
    ),
    ("P52", {}, answer("a", "b", finish="length"), ("ab", "length", 2)),
    ("P54", {}, answer(" Hello ", "</s>*"), (" Hello ", "stop", 2)),
    ("P55", {}, answer("a", finish="xyz"), ("a", "stop", 1)),
    ("a stop in the middle", {"stop": "b"}, answer("a", "b", "c", "d", finish="length"), ("a", "stop", 2)),
    ("stop text and a newline", {"stop": "END"}, answer("a", "EN", "D\n", finish="stop_sequence"), ("a", "stop", 3)),
    ("the first to complete wins", {"stop": ["bcd", "c"]}, answer("abcd", finish="length"), ("ab", "stop", 1)),
    ("the longest of those that complete", {"stop": ["c", "bc"]}, answer("abcd", finish="length"), ("a", "stop", 1)),
    ("text lost in a character", {}, answer("a", "€", finish="length", text=""), ("a€", "length", 2)),
    ("more tokens than asked", {"max_tokens": 2}, answer("a", "b", "c", finish="length"), ("ab", "length", 2)),
    ("as many tokens as asked", {"max_tokens": 3}, answer("a", "b", "</s>*"), ("ab", "stop", 3)),
    ("an end that came with the length", {}, answer("a", "</s>*", finish="length"), ("a", "stop", 2)),
    ("an end that was passed over", {}, answer("a", "</s>*", "b", finish="length", text="ab"), ("a", "stop", 2)),
    ("another control token", {}, answer("a", "<X>*", "b", "</s>*"), ("ab", "stop", 4)),
    ("nothing but the end", {}, answer("</s>*"), ("", "stop", 1)),
    ("text says more than its tokens", {}, answer("a", "</s>*", text="a b"), ("a b", "stop", 2)),
]


@pytest.mark.parametrize(("merged", "said", "expected"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_ends_where_it_should(
    bench: Bench, merged: dict[str, Any], said: Script, expected: tuple[str, str, int], stream: bool
) -> None:
    """The same for both ways of asking, but for what only whole answers carry."""
    bench.tgi.replies.append(said)
    if not stream:
        completion = bench.chat(**merged)
        choice = completion.choices[0]
        assert (choice.message.content, choice.finish_reason, completion.usage.completion_tokens) == expected
        return
    found = bench.events(stream_options={"include_usage": True}, **merged)
    text = "".join(each["choices"][0]["delta"].get("content", "") for each in found[:-2])
    usage = found[-2]["usage"]["completion_tokens"]
    wanted = ("a", *expected[1:]) if expected[0] == "a b" else expected
    assert (text, found[-3]["choices"][0]["finish_reason"], usage) == wanted


def test_p53_an_end_marker_that_is_plain_text_is_cut_off(bench: Bench) -> None:
    bench.register(bench.service(eos_token="<END>"))
    bench.tgi.replies.append(answer("Hi", "<END>", finish="stop_sequence"))
    completion = bench.chat()
    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == ("Hi", "stop")
    assert bench.tgi.generated[0].parameters["stop"] == ["<END>"]


def test_p56_prompt_tokens_come_from_the_prefill_or_are_asked_for(bench: Bench) -> None:
    bench.tgi.replies.append(answer("a", prompt_tokens=None, prefill=5))
    assert bench.chat().usage.prompt_tokens == 5
    bench.tgi.tokens = [{"id": n, "text": "x", "start": n, "stop": n + 1} for n in range(6)]
    bench.tgi.replies.append(answer("a", prompt_tokens=None))
    assert bench.chat().usage.prompt_tokens == 6
    assert bench.tgi.asked[-1].json == {"inputs": "[user]Hi</s>[assistant]"}
    bench.tgi.tokens = None
    bench.tgi.replies.append(answer("a", prompt_tokens=None))
    assert bench.chat().usage.prompt_tokens == 0


def test_p57_the_fingerprint_is_the_backends(bench: Bench) -> None:
    first, second = bench.chat(), bench.chat()
    other = bench.upstream()
    assert other.info is not None
    other.info["model_sha"] = "def"
    bench.register(bench.service(url=other.url))
    third = bench.chat()
    assert first.system_fingerprint == second.system_fingerprint != third.system_fingerprint
    assert len(first.system_fingerprint) == len("fp_") + 10
    assert first.id != second.id


def test_p57_a_backend_that_was_replaced_at_the_same_address_is_asked_again_what_it_is(bench: Bench) -> None:
    first = bench.chat()
    bench.loop.run(bench.tgi.stop())
    assert bench.tgi.info is not None
    bench.tgi.info["model_sha"] = "def"
    bench.loop.run(bench.tgi.start())
    assert bench.chat().system_fingerprint != first.system_fingerprint


def test_a_backend_that_does_not_say_what_it_is_has_no_fingerprint(bench: Bench) -> None:
    bench.tgi.info = None
    assert bench.chat().system_fingerprint is None


def test_a_list_of_one_answer_is_taken_too(bench: Bench) -> None:
    body = '[{"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":1,"tokens":[]}}]'
    bench.tgi.replies.append(reply(200, body, **{"x-prompt-tokens": "3"}))
    completion = bench.chat()
    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == ("Hi", "length")


@pytest.mark.parametrize(
    ("adds", "text"),
    [(True, "[user]Hi</s>[assistant]"), (False, "<s>[user]Hi</s>[assistant]")],
)
def test_p43_p44_one_bos_is_left_by_the_probe(bench: Bench, adds: bool, text: str) -> None:
    template = bench.service()["model"]["chat_template"]
    bench.register(bench.service(chat_template="{{ bos_token }}" + template))
    if not adds:
        bench.tgi.tokens = [{"id": 2, "text": "a", "start": 0, "stop": 1}]
    bench.chat()
    bench.chat()
    assert [each.json["inputs"] for each in bench.tgi.generated] == [text, text]
    assert [each.path for each in bench.tgi.asked].count("/tokenize") == 1


HUGE = "9" * 5000


@pytest.mark.parametrize("said", [HUGE, "1" + "0" * 20, "-1", "7.5", "", "\u0663", "x"])
def test_a_count_of_prompt_tokens_that_is_none_is_asked_for(bench: Bench, said: str) -> None:
    body = '{"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":1,"tokens":[]}}'
    bench.tgi.replies.append(reply(200, body, **{"x-prompt-tokens": said}))
    assert bench.chat().usage.prompt_tokens == 2


@pytest.mark.parametrize("version", [f"{HUGE}.0.0", f"1.{HUGE}.0", f"1.4.{HUGE}-dev0", "\u00b3.0.0", "1..2"])
def test_a_version_that_is_none_counts_as_unknown(bench: Bench, version: str) -> None:
    bench.tgi.info["version"] = version
    assert bench.chat().choices[0].message.content == "Hello world"


@pytest.mark.parametrize("count", ["-1", "1" + "0" * 20, HUGE, '"1"', "1.5"])
@pytest.mark.parametrize("streamed", [False, True])
def test_counts_that_are_no_numbers_are_no_answer(bench: Bench, streamed: bool, count: str) -> None:
    details = f'{{"finish_reason":"length","generated_tokens":{count}}}'
    if streamed:
        token = '{"id":1,"text":"a","logprob":0,"special":false}'
        bench.tgi.replies.append(
            stream(f'data:{{"token":{token},"generated_text":"a","details":{details}}}\n\n'.encode())
        )
        assert bench.post(stream=True).json()["error"]["code"] == "upstream_error"
    else:
        bench.tgi.replies.append(reply(200, f'{{"generated_text":"a","details":{details}}}'))
        assert bench.post().json()["error"]["code"] == "upstream_error"
