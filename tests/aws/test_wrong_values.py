"""Wrong values planted one by one in a gateway and a service that are right: how many the stand-in refuses, and why."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands.property_values import UNKNOWN
from tests.aws.planting import Planted
from tests.aws.sample import ALL, deploy
from tests.aws.standin import Cloud, NotAccepted


@dataclass(frozen=True)
class Wrong:
    """A row of the table."""

    planted: Planted
    says: str


def _wrong_values() -> list[Wrong]:
    with Path(__file__).with_name("wrong_values.csv").open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return [Wrong(Planted(row["resource"], row["path"], _value(row["value"])), row["says"]) for row in rows]


def _value(text: str) -> Any:
    return json.loads(text) if text else UNKNOWN


WRONG = _wrong_values()


def test_what_is_right_is_accepted() -> None:
    cloud = Cloud()
    deploy(cloud)
    assert len(cloud.records.all) == len(ALL)


@pytest.mark.parametrize(
    "wrong",
    _wrong_values(),
    ids=lambda wrong: f"{wrong.planted.resource} {wrong.planted.path} {wrong.planted.value}"[:70],
)
def test_a_wrong_value_is_refused_for_its_own_reason(wrong: Wrong) -> None:
    with pytest.raises(NotAccepted) as refused:
        deploy(Cloud(), wrong.planted)
    assert wrong.says in str(refused.value)


def test_how_many_wrong_values_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    refused = sum(_is_refused(wrong) for wrong in WRONG)
    with capsys.disabled():
        print(f"\nwrong values planted one by one: {refused} of {len(WRONG)} refused by the stand-in for AWS")
    assert refused == len(WRONG)


def _is_refused(wrong: Wrong) -> bool:
    try:
        deploy(Cloud(), wrong.planted)
    except NotAccepted:
        return True
    return False
