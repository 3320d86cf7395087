"""What the table's items hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_lambda.registry.items import Read, read_items
from gateway_lambda.registry.record import Holder, Key, Limits, Model, ModelClaim, RateLimit, Registry, Service
from gateway_lambda.registry.table import Table
from infra.planning.table_items import model_item

DIGEST = "a" * 64


def item(sort_key: str, **attributes: Any) -> dict[str, Any]:
    return {"pk": {"S": "registry"}, "sk": {"S": sort_key}, **attributes}


def test_a_record_as_text_and_as_a_map_is_the_same_run() -> None:
    record = {
        "run": "yellow-cat-1",
        "url": None,
        "host": "yellow-cat-1.example.org",
        "auth": False,
        "min_replicas": 0,
        "model": {
            "name": "m",
            "chat_template": "{% x %}",
            "stop_strings": ["</s>"],
            "limits": {"max_total_tokens": 4096},
        },
        "rate_limits": [{"prefix": "/", "rps": 2.5}],
        "made_by": "a newer stack",
    }
    typed = {
        "run": {"S": "yellow-cat-1"},
        "url": {"NULL": True},
        "host": {"S": "yellow-cat-1.example.org"},
        "auth": {"BOOL": False},
        "min_replicas": {"N": "0"},
        "model": {
            "M": {
                "name": {"S": "m"},
                "chat_template": {"S": "{% x %}"},
                "stop_strings": {"L": [{"S": "</s>"}]},
                "limits": {"M": {"max_total_tokens": {"N": "4096"}}},
            }
        },
        "rate_limits": {"L": [{"M": {"prefix": {"S": "/"}, "rps": {"N": "2.5"}}}]},
        "made_by": {"S": "a newer stack"},
    }
    wanted = Service(
        run="yellow-cat-1",
        host="yellow-cat-1.example.org",
        auth=False,
        min_replicas=0,
        model=Model(name="m", chat_template="{% x %}", stop_strings=["</s>"], limits=Limits(max_total_tokens=4096)),
        rate_limits=[RateLimit(prefix="/", rps=2.5)],
    )
    for written in ({"S": json.dumps(record)}, {"M": typed}):
        assert read_items([item("run#yellow-cat-1", record=written)]) == Read(Registry(services=[wanted]), ())


def test_keys_are_their_names_and_digests() -> None:
    items = [
        item("key#default", sha256={"S": DIGEST}),
        item("key#alice@2", sha256={"S": DIGEST}, runs={"L": [{"S": "a"}, {"S": "b"}]}),
        item("key#bob", sha256={"S": DIGEST}, runs={"SS": ["a"]}),
        item("key#carol", sha256={"S": DIGEST}, runs={"NULL": True}),
        item("key#dave", record={"S": json.dumps({"name": "dave", "sha256": DIGEST, "runs": ["*"]})}),
        item("key#eve", sha256={"S": DIGEST}, requests_per_minute={"N": "60"}),
        item(
            "key#fred", sha256={"S": DIGEST}, expires={"N": "5"}, tokens_per_day={"N": "6"}, max_concurrent={"N": "7"}
        ),
    ]
    assert read_items(items).registry.keys == [
        Key(name="default", sha256=DIGEST),
        Key(name="alice@2", sha256=DIGEST, runs=["a", "b"]),
        Key(name="bob", sha256=DIGEST, runs=["a"]),
        Key(name="carol", sha256=DIGEST),
        Key(name="dave", sha256=DIGEST, runs=["*"]),
        Key(name="eve", sha256=DIGEST, requests_per_minute=60),
        Key(name="fred", sha256=DIGEST, expires=5, tokens_per_day=6, max_concurrent=7),
    ]


def test_a_claim_of_a_model_name_is_what_the_program_writes() -> None:
    claim = ModelClaim(model="org/name:tag#1", holders=[Holder(run="a", owner="o/p/a")], shared=True)
    assert read_items([json.loads(model_item(claim))]) == Read(Registry(claims=[claim]), ())


@pytest.mark.parametrize("record", ["{", "{}", '{"model": "other", "holders": []}'])
def test_a_name_whose_claim_cannot_be_read_is_nobody_s(record: str) -> None:
    """Without it, the run that was registered first would get the requests, whoever claimed them."""
    model = {"name": "m", "chat_template": "…"}
    items = [
        item("run#a", record={"S": json.dumps({"run": "a", "model": model})}),
        item("model#m", record={"S": record}),
    ]
    found = read_items(items)
    assert [problem.partition(":")[0] for problem in found.problems] == ["model#m"]
    assert Table(found.registry).model("m") == ()


def test_claims_of_run_names_and_what_is_not_known_are_passed_over() -> None:
    items = [item("claim#a", owner={"S": "stack"}), item("later#a", record={"S": "{"}), {"pk": {"S": "registry"}}]
    assert read_items(items) == Read(Registry(), ())


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (item("run#x"), "run#x: it has no attribute 'record'"),
        (item("run#x", record={"S": "{"}), "run#x: Input data was truncated"),
        (item("run#x", record={"S": "[]"}), "run#x: Expected `object`, got `array`"),
        (item("run#x", record={"S": "{}"}), "run#x: Object missing required field `run`"),
        (item("run#x", record={"S": '{"run": "y"}'}), "run#x: its record belongs to another run"),
        (item("run#x", record={"B": "eA=="}), "run#x: a value of DynamoDB's type 'B' is not allowed here"),
        (item("run#x", record={}), "run#x: a value has no type, or several"),
        (item("run#x", record={"M": {"run": {"N": "1"}}}), "run#x: Expected `str`, got `int` - at `$.run`"),
        (item("run#x", record={"N": "1"}), "run#x: Expected `object`, got `int`"),
        (item("run#x", record={"S": "[" * 100_000}), "run#x: "),
        (
            item("run#x", record={"S": '{"run": "x", "weight": 0}'}),
            "run#x: Expected `int` >= 1 - at `$.weight`",
        ),
        (
            item("key#x", sha256={"S": DIGEST}, requests_per_minute={"N": "0"}),
            "key#x: Expected `int` >= 1 - at `$.requests_per_minute`",
        ),
        (item("key#x"), "key#x: Object missing required field `sha256`"),
        (item("key#x", sha256={"N": "1"}), "key#x: Expected `str`, got `int` - at `$.sha256`"),
        (
            item("key#x", sha256={"S": DIGEST}, runs={"S": "*"}),
            "key#x: Expected `array | null`, got `str` - at `$.runs`",
        ),
    ],
)
def test_a_broken_item_is_left_out_and_breaks_nothing_else(broken: dict[str, Any], problem: str) -> None:
    good = [item("run#good", record={"S": '{"run": "good"}'}), item("key#good", sha256={"S": DIGEST})]
    found = read_items([good[0], broken, good[1]])
    assert found.registry == Registry(keys=[Key(name="good", sha256=DIGEST)], services=[Service(run="good")])
    assert len(found.problems) == 1
    assert found.problems[0].startswith(problem)


def test_problems_quote_no_value_that_may_be_secret() -> None:
    record = {"run": "x", "model": {"name": "m", "upstream_api_key": ["sk-secret"], "limits": "sk-secret"}}
    found = read_items(
        [
            item("run#x", record={"S": json.dumps(record)}),
            item("run#y", record={"S": '{"run": "y", sk-secret'}),
            item("key#x", sha256={"L": [{"S": "sk-secret"}]}),
        ]
    )
    assert len(found.problems) == 3
    assert "secret" not in "".join(found.problems)
