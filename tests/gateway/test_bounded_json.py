"""JSON is counted before it is decoded."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.bounded_json import (
    MAX_LEVELS,
    MAX_VALUES,
    JsonRefused,
    TooMuchJson,
    ValueBudget,
    count_values,
    decode_bounded,
)

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=40,
)


@given(_values, st.booleans())
def test_what_is_within_the_bounds_is_decoded_and_counted(value: Any, spaced: bool) -> None:
    text = json.dumps(value, indent=1 if spaced else None).encode()
    assert decode_bounded(text) == value == ValueBudget().decode(text)
    assert _values_in(value) <= count_values(text) <= _values_in(value) + _empty_in(value)


def _values_in(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_values_in, inner))


def _empty_in(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return int(value in ([], {})) + sum(map(_empty_in, inner))


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"0," * (MAX_VALUES - 2) + b"0]",
        b"[" * MAX_LEVELS + b"]" * MAX_LEVELS,
        b'["' + b",[{" * MAX_VALUES + b'"]',
        b'["' + b'\\",' * MAX_VALUES + b'"]',
        b'{"a":"' + b"\\\\" * MAX_VALUES + b'","b":",,,"}',
    ],
)
def test_what_is_just_within_is_decoded(text: bytes) -> None:
    assert decode_bounded(text) == msgspec.json.decode(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" + b"0," * (MAX_VALUES - 1) + b"0]", "more than 100000 values"),
        (b"[" + b"{}," * MAX_VALUES + b"{}]", "more than 100000 values"),
        (b"[" * (MAX_LEVELS + 1) + b"]" * (MAX_LEVELS + 1), "more than 200 levels of lists and objects"),
        (b'{"a":' * (MAX_LEVELS + 1) + b"1" + b"}" * (MAX_LEVELS + 1), "more than 200 levels of lists and objects"),
        (b"[," * MAX_VALUES + b'""' * 3 * MAX_VALUES, "more than 100000 values"),
        (b'["' + b'","' * MAX_VALUES + b'"]', "more than 100000 values"),
    ],
)
def test_what_is_beyond_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(TooMuchJson, match=said):
        decode_bounded(text)


@pytest.mark.parametrize("text", [b"", b"{", b'"\\ud800"', b'"\xff"', b"NaN", b"1" * 5000, b"[1,]", b'"' + b"\\" * 9])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(JsonRefused):
        decode_bounded(text)


HALF = "a string has half of a surrogate pair, which is not text; cut texts only between characters"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b'{"a": "gr\xfc\xdfe"}', "byte 9 is not UTF-8; send UTF-8"),
        ('{"a": "ü"}'.encode("utf-16"), "byte 0 is not UTF-8; send UTF-8"),
        (b'{"a": "\\ud83d"}', HALF),
        (b'{"a": "x\\uDE00"}', HALF),
        (b'{"a": "\\ud83d\\n", "and": "much more"}', HALF),
        (b'{"a": "\\ud83d\\ude00', "Input data was truncated"),
        (b'{"a": ', "Input data was truncated"),
        (b'{"a": 1,}', "JSON is malformed: trailing comma in object (byte 8)"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: bytes, said: str) -> None:
    with pytest.raises(JsonRefused) as refused:
        decode_bounded(text)
    assert str(refused.value) == said


def test_the_mark_that_windows_writes_before_a_text_is_ignored() -> None:
    assert decode_bounded(b'\xef\xbb\xbf{"a": [1]}') == {"a": [1]}
    assert ValueBudget().decode(b'\xef\xbb\xbf{"a": [1]}') == {"a": [1]}


def test_several_texts_share_a_budget() -> None:
    budget = ValueBudget()
    half = b"[" + b"0," * (MAX_VALUES // 2) + b"0]"
    assert len(budget.decode(half)) == MAX_VALUES // 2 + 1
    with pytest.raises(TooMuchJson):
        budget.decode(half)


def test_numbers_that_are_dear_to_read_count_more() -> None:
    """All the values that there may be would take most of a second."""
    dear = b"1.7976931348623157123456789e308"
    assert len(decode_bounded(b"[" + b",".join([dear] * (MAX_VALUES // 11)) + b"]")) == MAX_VALUES // 11
    with pytest.raises(TooMuchJson):
        decode_bounded(b"[" + b",".join([dear.upper()] * (MAX_VALUES // 10)) + b"]")
    assert count_values(b'["1e5,1E5",0.5]') == 3
