"""The rules of plain English in `rules.csv`, as checks of proselint."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from proselint.registry.checks import Check, engine, types

from tests.prose.passages import Passage


class Rule(NamedTuple):
    """A row of the table: a pattern that no prose may have, what to say instead, and an example of both."""

    name: str
    pattern: str
    say: str
    bad: str
    good: str


@functools.cache
def rules() -> tuple[Rule, ...]:
    with Path(__file__).with_name("rules.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Rule(**row) for row in csv.DictReader(file))


@functools.cache
def _checks() -> tuple[Check, ...]:
    return tuple(
        Check(types.ExistenceSimple(rule.pattern), engine.Fancy(), path=rule.name, message=rule.say.replace("{", "{{"))
        for rule in rules()
    )


def findings(passage: Passage) -> Iterator[str]:
    """What is wrong with a passage, a line each."""
    for check in _checks():
        for result in check.check(passage.text):
            start, end = result.span
            shown = (
                passage.text[max(0, start - 30) : end + 30] if end - start < 100 else passage.text[start:][:80] + " …"
            )
            yield f"{passage.path}:{passage.line}: {check.path}: {result.message}: … {shown} …"
