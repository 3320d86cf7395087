"""The expression for JSON objects takes what JSON is, to its depth, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lambda.tools.json_object import DEPTH, JSON_OBJECT

EXPRESSION = re.compile(JSON_OBJECT)

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def _values(depth: int) -> st.SearchStrategy[Any]:
    return _scalars if not depth else _scalars | st.lists(_values(depth - 1), max_size=2) | _objects(depth)


def _objects(depth: int) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.text(max_size=4), _values(depth - 1), max_size=2)


@given(_objects(DEPTH), st.booleans(), st.booleans())
def test_every_object_of_its_depth_is_taken(value: object, spaced: bool, plain: bool) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    assert EXPRESSION.fullmatch(json.dumps(value, separators=separators, ensure_ascii=plain))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": "\\u00e9\\n\\"\\\\ é 🙂"}',
        '{"a":[],"b":{},"c":[{"d":[-0.5e+10,0,1E9]}]}',
        '{"rows": [{"tags": ["a", "b"]}, {"tags": []}]}',
    ],
)
def test_objects_are_taken(text: str) -> None:
    assert EXPRESSION.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{",
        '{"a"}',
        '{"a":1,}',
        '{,"a":1}',
        '{"a":1 "b":2}',
        '{"a":01}',
        '{"a":1.}',
        '{"a":.5}',
        '{"a":+1}',
        '{"a":NaN}',
        '{"a":True}',
        "{'a':1}",
        '{"a":"\\x"}',
        '{"a":"\\u12"}',
        '{"a":"line\nbreak"}',
        '{"a":[1,]}',
        '{"a":[1}',
        '{"a":1}}',
        '{"a":1} x',
        '{"a":{"b":{"c":{"d":{}}}}}',
        '{"a":  1}',
        '{ "a": 1 }',
    ],
)
def test_other_text_is_refused(text: str) -> None:
    assert not EXPRESSION.fullmatch(text)


def test_the_expression_is_plain_enough_for_every_regex_engine() -> None:
    """TGI's compiler knows classes, groups, alternatives and repetition; no look-around, no back references."""
    assert not re.search(r"\(\?", JSON_OBJECT)
    assert len(JSON_OBJECT) < 30_000
