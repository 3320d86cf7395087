"""The provider accepts and plans what the program creates, except for what only its newer version knows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cloud.deployment.terraform.client import Planned, Provider
from cloud.deployment.terraform.translation import is_newer
from tests.provider import stacks
from tests.provider.judged import Resource
from tests.support.examples import EXAMPLES

MOST_MEMORY = 1024
"""MB that the provider may take."""
REFUSED_BY_5 = {
    "aws:apigateway/integration:Integration": (
        "timeout_milliseconds: expected timeout_milliseconds to be in the range (50 - 300000), got 900000"
    )
}
"""What this version refuses, and 6.x does not: 15 minutes are possible only with `responseTransferMode: STREAM`."""
NEWER = {
    ("aws:apigateway/integration:Integration", "responseTransferMode"),
}
"""What the program sets that this version does not know."""


def test_every_example_and_26_edges_are_judged() -> None:
    names = [stack.name for stack in (*stacks.examples(), *stacks.edges())]
    assert len(set(names)) == len(names)
    assert len(list(stacks.edges())) >= stacks.EDGES
    assert len(list(stacks.examples())) == len(list(EXAMPLES.rglob("*.dstack.yml")))


def test_the_provider_accepts_and_plans_every_resource(
    provider: Provider, plans: list[tuple[Resource, Planned]], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = [
        f"{resource}: {refusal}"
        for resource, plan in plans
        for refusal in plan.refusals
        if str(refusal) != REFUSED_BY_5.get(resource.type)
    ]
    assert refused == []
    by = Counter(resource.type for resource, plan in plans if plan.refusals)
    stacked = len({resource.stack for resource, _ in plans})
    memory = int(_status(provider.pid, "VmRSS").split()[0]) // 1024
    with capsys.disabled():
        print(
            f"\nTerraform's AWS provider: {len(plans)} resources of {stacked} stacks; "
            f"refused {sum(by.values())}, all of them for what 6.x accepts; memory {memory} MB"
        )
    assert by.keys() == REFUSED_BY_5.keys(), "a difference that is no longer met can go from the table"
    assert memory < MOST_MEMORY


def test_all_tags_are_those_of_the_stand_in(plans: list[tuple[Resource, Planned]]) -> None:
    """The provider's default tags reach the same resources, with the same result."""
    different = [
        f"{resource}: the provider plans {plan.state['tags_all']}, the stand-in {resource.tags}"
        for resource, plan in plans
        if plan.state is not None and plan.state.get("tags_all", resource.tags) != resource.tags
    ]
    assert different == []


def test_only_what_6_x_added_is_left_out(everything: list[Resource]) -> None:
    left_out = {
        (resource.type, path)
        for resource in everything
        for path in resource.properties()
        if is_newer(resource.type, path)
    }
    assert left_out == NEWER


def _status(pid: int, name: str) -> str:
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith(f"{name}:")]
    return line.partition(":")[2]
