"""Whatever a caller sends is answered, cheaply, by a gateway that has 256 MB."""

from __future__ import annotations

import json

import pytest

from tests.hostile.limited import Limited
from tests.hostile.payloads import PLACES, SCHEMA_PLACES, SCHEMAS, VALUES


def _wrong(gateway: Limited, place: str, name: str, value: str) -> list[str]:
    path, body = PLACES[place](value)
    answer, wrong = gateway.ask(path, body)
    if answer.status_code >= 500 and "chat_template_limit" not in answer.text:
        wrong.append(f"{answer.status_code} {answer.text[:200]}")
    elif answer.status_code != 200 and set(answer.json()["error"]) != {"message", "type", "param", "code"}:
        wrong.append(answer.text[:200])
    return [f"{name} as {place}: {each}" for each in wrong]


@pytest.mark.parametrize("place", PLACES)
def test_no_value_costs_much_wherever_it_stands(gateway: Limited, place: str) -> None:
    assert [each for name, value in VALUES.items() for each in _wrong(gateway, place, name, value)] == []


@pytest.mark.parametrize("place", SCHEMA_PLACES)
def test_no_schema_costs_much(gateway: Limited, place: str) -> None:
    given = [(name, json.dumps(schema)) for name, schema in SCHEMAS.items()]
    assert [each for name, schema in given for each in _wrong(gateway, place, name, schema)] == []
