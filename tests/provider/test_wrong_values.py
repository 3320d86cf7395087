"""Wrong values, planted one by one: whatever the provider refuses, the stand-in refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from cloud.deployment.terraform.client import Provider
from cloud.deployment.terraform.translation import terraform_type
from tests.aws.standin import Cloud, NotAccepted, limits
from tests.provider import table
from tests.provider.judged import Resource
from tests.provider.probing import Probe
from tests.provider.rules import rows

FEWEST = 3000
"""Wrong values that are tried."""


def test_the_table_has_what_the_provider_says(
    provider: Provider, probed: list[Probe], each_type: Mapping[str, Resource]
) -> None:
    blocks = {type: provider.block(terraform_type(type)) for type in each_type}
    found, there = table.kept(rows(probed, blocks)), table.read()
    assert (sorted(set(found) - set(there)), sorted(set(there) - set(found))) == ([], []), (
        "missing, stale: `python -m tests.provider` writes the table again"
    )


def test_the_stand_in_refuses_what_the_provider_refuses(
    probed: list[Probe], capsys: pytest.CaptureFixture[str]
) -> None:
    by: Counter[tuple[str, str]] = Counter()
    alone: list[str] = []
    for probe in probed:
        if probe.refusals and table.is_wider(probe):
            by["6.x or AWS accepts it", ""] += 1
            continue
        refused = _is_refused(probe)
        by["provider" if probe.refusals else "", "stand-in" if refused else ""] += 1
        if probe.refusals and not refused:
            alone.append(f"{probe}: {probe.refusals[0]}"[:160])
    with capsys.disabled():
        print(
            f"\nwrong values planted one by one: {len(probed)}. Refused by both: {by['provider', 'stand-in']}; "
            f"by the stand-in alone: {by['', 'stand-in']}; by neither: {by['', '']}; "
            f"by the provider alone: {by['provider', '']}, and {by['6.x or AWS accepts it', '']} that 6.x accepts"
        )
    assert alone == [], "\n".join(alone)
    assert len(probed) >= FEWEST


def test_no_rule_of_the_provider_refuses_what_the_provider_accepts(probed: list[Probe]) -> None:
    """Nothing and zero are left out: to the provider they are the same as not set, in some places."""
    wrong = [
        f"{probe}: {problem}"
        for probe in probed
        if not probe.refusals and probe.value not in ("", 0)
        for problem in limits.problems_with(probe.type, probe.inputs)
        if str(problem).endswith(f"({table.SOURCE})")
    ]
    assert wrong == []


def _is_refused(probe: Probe) -> bool:
    try:
        Cloud().checked(probe.type, f"urn:pulumi:s::p::{probe.type}::probe", probe.inputs)
    except NotAccepted:
        return True
    return False
