"""The examples of dstack's documentation: which of them are read, and which keys of the others are refused by name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from infra.configuration import loads
from tests.configuration.support import problems

_LINES = (Path(__file__).parent / "dstack_examples.csv").read_text(encoding="utf-8").splitlines()
ROWS = list(csv.DictReader(line for line in _LINES if not line.startswith("#")))
READ = [row for row in ROWS if not row["refused"]]
REFUSED = [row for row in ROWS if row["refused"]]
MOST_READ = 60
"""How many are read today. A change that reads fewer must say why."""


def _name(row: dict[str, str]) -> str:
    return f"{row['page']} {row['number']}"


@pytest.mark.parametrize("row", READ, ids=_name)
def test_an_example_of_dstack_s_is_read(row: dict[str, str]) -> None:
    assert loads(row["shape"], "serve.dstack.yml").type in row["shape"]


@pytest.mark.parametrize("row", REFUSED, ids=_name)
def test_an_example_of_dstack_s_is_refused_by_the_keys_that_it_cannot_have(row: dict[str, str]) -> None:
    keys = {where.partition("[")[0].partition(".")[0] for _, where, _, _ in problems(row["shape"])}
    assert " ".join(sorted(keys)) == row["refused"]


def test_most_examples_of_dstack_s_are_read() -> None:
    assert (len(ROWS), len(READ)) == (73, MOST_READ)
