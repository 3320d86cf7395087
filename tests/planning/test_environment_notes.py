"""The plan says which variables of `env` are written as if a shell read them."""

from __future__ import annotations

import pytest

from infra.planning.environment_notes import environment_notes
from tests.preflight.plans import WEB, service_plan


def said(*entries: str) -> list[str]:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    plan = service_plan(f"{WEB}resources: {{gpu: 24GB}}\nenv:\n{lines}")
    notes = environment_notes(plan.container)
    assert [note for note in plan.notes if note.startswith("env ")] == notes
    return notes


def note(name: str, other: str) -> str:
    return (
        f"env {name} gets the characters ${other}, as in dstack, because no shell reads env. If you mean the value of "
        f"{other}, write it in commands: `export {name}=…`."
    )


def test_a_variable_that_names_another_is_said() -> None:
    entries = ("NUM_SHARD=$DSTACK_GPUS_NUM", "PATH=/opt/bin:${PATH}", "A=1", "B=x-$A-$PATH")
    assert said(*entries) == [note("NUM_SHARD", "DSTACK_GPUS_NUM"), note("PATH", "PATH"), note("B", "A")]


@pytest.mark.parametrize("entry", ["P=pa$$word", "P=$unknown", "P=5$", "P=$1", "P=${A", "P='$'", "P=$PATHS"])
def test_another_dollar_is_not(entry: str) -> None:
    assert said(entry, "A=1") == []
