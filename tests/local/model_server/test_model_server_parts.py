"""The parts of the model server that need no model."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from msgspec import UNSET, UnsetType

from local.model_server.answers import shortest
from local.model_server.gguf import NotGguf, read_header
from local.model_server.grammar import write_guide
from local.model_server.http import Exchange, Message
from local.model_server.metrics import Metrics
from local.model_server.requests import JsonGrammar, RegexGrammar
from local.model_server.sampling import step_seed
from local.model_server.slots import Slots
from local.model_server.spans import locate
from local.model_server.standin import read_stand_in, read_weights_header, weights_path
from local.model_server.stopping import Stopping, count_budget
from local.model_server.vocabulary import GrowingText, Vocabulary, read_vocabulary

PIECES = (b"a", "日".encode()[:2], "日".encode()[2:], b"</s>", b"\xff", "日".encode()[:1], "日".encode()[1:])
VOCABULARY = Vocabulary(pieces=PIECES, special=frozenset({3}), harmless=0)


def test_the_stand_in_is_known_without_loading_it() -> None:
    stand_in = read_stand_in()

    assert stand_in.chat_template.startswith("{% for message in messages %}")
    assert (stand_in.bos_token, stand_in.eos_token, stand_in.stop_strings) == (
        "<|im_start|>",
        "<|im_end|>",
        ("<|im_end|>",),
    )
    assert (stand_in.adds_bos, stand_in.context_length) == (False, 8192)


def test_every_token_of_the_weights_has_its_bytes() -> None:
    vocabulary = read_vocabulary(read_weights_header(weights_path()))

    assert len(vocabulary.pieces) == 49152
    assert vocabulary.special == frozenset(range(17))
    assert vocabulary.piece_text(vocabulary.harmless) == "a"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not weights", "starts with b'not '"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 3), "ends too early"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 77),
            "type that GGUF",
        ),
    ],
)
def test_a_file_that_is_no_gguf_is_told_of(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "weights.gguf"
    path.write_bytes(content)

    with pytest.raises(NotGguf, match=r"weights\.gguf") as raised:
        read_header(path)
    assert why in str(raised.value)


def test_text_waits_for_the_end_of_a_character() -> None:
    text = GrowingText(VOCABULARY)

    assert [text.add(token) for token in (0, 1, 2, 0, 3)] == ["a", "", "日", "a", "</s>"]


def test_bytes_that_never_become_a_character_are_replaced_with_what_follows() -> None:
    text = GrowingText(VOCABULARY)

    assert [text.add(token) for token in (4, 0)] == ["", "\ufffda"]


def test_the_text_of_an_answer_has_no_special_tokens() -> None:
    assert VOCABULARY.answer_text([0, 1, 2, 3]) == "a日"
    assert VOCABULARY.answer_text([0, 1]) == ""


def test_bytes_are_cut_into_tokens_in_every_way() -> None:
    assert VOCABULARY.cuts("日".encode(), 2) == [(5, 6), (1, 2)]
    assert VOCABULARY.cuts(b"a", 1) == [(0,)]
    assert VOCABULARY.cuts(b"b", 1) == []


@pytest.mark.parametrize(
    ("asked", "input_length", "budget"),
    [
        (5, 10, 5),
        (1024, 2000, 1024),
        (1025, 0, 2048),
        (1500, 10, 1024),
        (1500, 2000, 1024),
        (None, 10, 512),
        (None, 1600, 448),
        (None, 2047, 1),
        (None, 3000, 0),
        (UNSET, 10, 100),
        (UNSET, 2000, 48),
    ],
)
def test_budgets_are_counted_in_tgis_pieces(asked: int | UnsetType | None, input_length: int, budget: int) -> None:
    assert count_budget(asked, input_length, max_input=2047, max_total=2048, longest=512) == budget


@pytest.mark.parametrize(
    ("stop", "texts", "finish"),
    [
        ("###", ["A", "#", "##"], [None, None, "stop_sequence"]),
        ("###", ["A", "####"], [None, "stop_sequence"]),
        ("}", ["a", "}\n"], [None, "stop_sequence"]),
        ("}", ["a", "}\n\n", "}x"], [None, None, None]),
        ("a.c", ["abc", "a.c"], [None, "stop_sequence"]),
        ("", ["x"], ["stop_sequence"]),
        ("x" * 250, ["x" * 200, "x" * 200, "x" * 40], [None, None, None]),
    ],
)
def test_stop_sequences_end_where_tokens_end(stop: str, texts: list[str], finish: list[str | None]) -> None:
    stopping = Stopping(100, [stop])

    assert [stopping.look(text, end_of_sequence=False) for text in texts] == finish


def test_the_budget_wins_over_the_end_of_sequence_and_that_over_stop_sequences() -> None:
    assert Stopping(1, ["a"]).look("a", end_of_sequence=True) == "length"
    assert Stopping(2, ["a"]).look("a", end_of_sequence=True) == "eos_token"


def test_places_of_tokens_take_whole_characters() -> None:
    pieces = [b"<s>", b"h", " 日".encode()[:3], "日".encode()[2:], "é".encode()[:1], "é".encode()[1:]]

    assert list(locate("h 日é".encode(), pieces)) == [(0, 0), (0, 1), (1, 5), (2, 5), (5, 7), (5, 7)]


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (-1.1680645942687988, -1.1680646),
        (-0.5, -0.5),
        (0.10000000149011612, 0.1),
        (-17.271636962890625, -17.271637),
        (None, None),
        (float("-inf"), None),
        (float("nan"), None),
    ],
)
def test_numbers_are_written_as_32_bit_ones(number: float | None, written: float | None) -> None:
    assert shortest(number) == written


def test_seeds_of_steps_differ_and_are_never_the_one_that_means_none() -> None:
    seeds = [step_seed(seed, step) for seed in (0, 1, 2**32, 2**64 - 1) for step in range(50)]

    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 - 1 for seed in seeds)


def test_places_go_to_the_prompt_that_continues_their_last_one() -> None:
    async def take() -> list[int]:
        slots = Slots(3)
        first, second, third = [1, 2, 3], [7, 8], [1, 2, 9]
        async with slots.take(first) as a, slots.take(second) as b:
            assert a != b
        async with slots.take(third) as c, slots.take([7, 8, 9]) as d:
            return [a - c, b - d]

    assert asyncio.run(take()) == [0, 0]


def test_places_are_given_in_the_order_of_asking_and_freed_by_those_who_leave() -> None:
    async def wait() -> list[str]:
        slots = Slots(1)
        order: list[str] = []

        async def use(name: str) -> None:
            async with slots.take([]):
                order.append(name)
                await asyncio.sleep(0)

        async with slots.take([]):
            tasks = [asyncio.create_task(use(name)) for name in ("a", "b", "c", "d")]
            await asyncio.sleep(0)
            assert (slots.running, slots.waiting) == (1, 4)
            tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (slots.running, slots.waiting) == (0, 0)
        return order

    assert asyncio.run(wait()) == ["a", "c", "d"]


def test_metrics_have_tgis_names_and_cumulative_histograms() -> None:
    metrics = Metrics(100)
    metrics.count_request()
    metrics.count_failure("validation")
    metrics.record({"generated_tokens": 2.5})
    metrics.record({"generated_tokens": 3})

    lines = metrics.render(running=1, waiting=2).splitlines()
    name = "tgi_request_generated_tokens"
    assert {
        "# TYPE tgi_request_count counter",
        "tgi_request_count 1.0",
        "tgi_request_success 0.0",
        'tgi_request_failure{err="validation"} 1.0',
        "# TYPE tgi_queue_size gauge",
        "tgi_queue_size 2.0",
        "tgi_batch_current_size 1.0",
        f"# TYPE {name} histogram",
        f'{name}_bucket{{le="2.0"}} 0.0',
        f'{name}_bucket{{le="3.0"}} 2.0',
        f'{name}_bucket{{le="+Inf"}} 2.0',
        f"{name}_count 2.0",
        f"{name}_sum 5.5",
    } <= set(lines)
    assert [line for line in lines if "_total" in line or "_created" in line] == []


@pytest.mark.parametrize(
    ("pattern", "body"),
    [
        ("[0-9]+", "/[0-9]+/"),
        ("a/b", "/a\\/b/"),
        ("a\\/b", "/a\\/b/"),
        ("a\nb", "/a\\nb/"),
        ("a\\\\", "/a\\\\/"),
        ("/\nstart: x", "/\\/\\nstart: x/"),
    ],
)
def test_a_regular_expression_stays_within_its_slashes(pattern: str, body: str) -> None:
    assert write_guide(RegexGrammar(pattern)).body == body


def test_objects_are_closed_as_tgi_closes_them_and_others_are_left() -> None:
    schema = {"properties": {"a": {"properties": {}}, "b": {"type": "array", "items": {"properties": {}}}, "c": {}}}
    closed = {"type": "object", "additionalProperties": False, "properties": {}}

    body = write_guide(JsonGrammar(schema)).body
    assert body.startswith("%json ")
    assert json.loads(body.removeprefix("%json ")) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {"a": closed, "b": {"type": "array", "items": closed}, "c": {}},
        "x-guidance": {"whitespace_pattern": "[ ]?"},
    }


def test_a_stream_that_is_silent_sends_comments() -> None:
    async def stream() -> list[bytes]:
        sent: list[bytes] = []
        enough = asyncio.Event()

        async def receive() -> dict[str, object]:
            await asyncio.Event().wait()
            return {}

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))
            if sent.count(b":\n\n") == 2:
                enough.set()

        async def events() -> AsyncGenerator[bytes, None]:
            yield b"data: 1\n\n"
            await enough.wait()
            yield b"data: 2\n\n"

        scope = {"method": "POST", "path": "/", "server": ("127.0.0.1", 1), "headers": []}
        exchange = Exchange(scope, receive, send, asyncio.Event())
        await exchange.respond_events(events(), {}, broken_off=b"", silence=0.01)
        return sent

    assert asyncio.run(stream()) == [b"", b"data: 1\n\n", b":\n\n", b":\n\n", b"data: 2\n\n", b""]


def test_a_vocabulary_of_sentencepiece_is_read() -> None:
    header = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": ["<s>", "<0x0A>", "\u2581the", "a", "<tool>"],
        "tokenizer.ggml.token_type": [3, 6, 1, 1, 4],
    }
    vocabulary = read_vocabulary(header)
    assert vocabulary.pieces == (b"<s>", b"\n", b" the", b"a", b"<tool>")
    assert (vocabulary.special, vocabulary.harmless) == ({0}, 3)


def test_a_vocabulary_of_another_kind_is_refused_by_its_name() -> None:
    header = {"tokenizer.ggml.model": "rwkv", "tokenizer.ggml.tokens": ["a"]}
    with pytest.raises(ValueError, match="a vocabulary of the kind 'rwkv'"):
        read_vocabulary(header)
