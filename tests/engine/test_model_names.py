"""Model names under the real engine: taken, shared, changed, renamed, given up; and keys with options."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pulumi import automation

from tests.engine.deployment import refusal
from tests.engine.stacks import GATEWAY_WITHOUT_DOMAIN, WEB, Stacks, changes
from tests.support.requirements import require

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.xdist_group("engine-names")]

MODEL = f"{WEB}model: org/name:tag\n"
OTHER = f"{WEB}model: other\n"
QUICK = {"wait": "false"}
SHARING = {**QUICK, "weight": "2"}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    """A gateway, and the stack `first` with the model name."""
    require("pulumi")
    made = Stacks(tmp_path_factory.mktemp("names") / "stacks")
    try:
        made.gateway(GATEWAY_WITHOUT_DOMAIN).up()
        made.stack("first", MODEL, QUICK).up()
        yield made
    finally:
        made.close()


def holders(stacks: Stacks) -> dict[str, tuple[list[str], bool]]:
    """By model name the runs that have it, and whether they share it."""
    records = [json.loads(item["record"]["S"]) for item in stacks.asked.written.values()]
    return {one["model"]: ([holder["run"] for holder in one["holders"]], one["shared"]) for one in records}


def refused(stack: automation.Stack) -> str:
    with pytest.raises(automation.CommandError) as failed:
        stack.up()
    return refusal(failed.value)


def test_a_second_run_of_a_model_name_fails_before_anything_but_its_run_name_is_made(stacks: Stacks) -> None:
    before = stacks.happened()
    said = refused(stacks.stack("second", MODEL, QUICK))
    assert (
        "    error: org/name:tag is the model name of the run first (stack organization/servestack/first): choose "
        "another model.name, or let the runs share its requests: first pulumi config set weight 1 --stack "
        "organization/servestack/first and pulumi up there, then pulumi config set weight 1 here"
    ) in said
    assert stacks.events(before) == [("create", "TableItem second-claim")]
    assert holders(stacks) == {"org/name:tag": (["first"], False)}


def test_both_share_it_once_both_say_so_and_no_update_of_either_replaces_anything(stacks: Stacks) -> None:
    said = refused(stacks.stack("second", MODEL, SHARING))
    assert "first pulumi config set weight 1 --stack organization/servestack/first and pulumi up there" in said
    before = stacks.happened()
    stacks.stack("first", MODEL, SHARING).up()
    assert stacks.events(before) == [("update", "TableItem first-run")]
    assert stacks.asked.writes[-1] == ("PutItem", "model#org/name:tag", before), "the claim before the route"
    stacks.stack("second", MODEL, SHARING).up()
    assert holders(stacks) == {"org/name:tag": (["first", "second"], True)}

    writes, before = len(stacks.asked.writes), stacks.happened()
    stacks.stack("second", MODEL, {**SHARING, "weight": "5"}).up()
    assert stacks.events(before) == [("update", "TableItem second-run")]
    assert len(stacks.asked.writes) == writes, "how much it gets is no matter of the claim"
    assert changes(stacks.stack("second", MODEL, {**SHARING, "weight": "5"}).up()) == {}

    before = stacks.happened()
    assert "only runs with a weight share it" in refused(stacks.stack("first", MODEL, QUICK))
    assert stacks.happened() == before


def test_a_renamed_run_keeps_its_part_and_the_old_name_goes_last(stacks: Stacks) -> None:
    stacks.stack("second", f"name: renamed\n{MODEL}", SHARING).up()
    assert holders(stacks) == {"org/name:tag": (["first", "renamed"], True)}
    assert [name for name in stacks.there("second") if name.startswith("second-")] == []


def test_a_renamed_model_is_claimed_before_the_route_and_the_old_name_given_up_after_it(stacks: Stacks) -> None:
    before, writes = stacks.happened(), len(stacks.asked.writes)
    stacks.stack("second", f"name: renamed\n{OTHER}", SHARING).up()
    assert stacks.events(before) == [("update", "TableItem renamed-run")]
    assert stacks.asked.writes[writes:] == [
        ("PutItem", "model#other", before),
        ("PutItem", "model#org/name:tag", before + 1),
    ]
    assert holders(stacks) == {"org/name:tag": (["first"], True), "other": (["renamed"], True)}


def test_who_shares_with_nobody_any_more_may_have_it_alone_again(stacks: Stacks) -> None:
    stacks.stack("first", MODEL, QUICK).up()
    assert holders(stacks)["org/name:tag"] == (["first"], False)
    before = stacks.happened()
    stacks.stack("first", f"name: again\n{MODEL}", QUICK).up()
    assert holders(stacks)["org/name:tag"] == (["again"], False)
    assert stacks.events(before)[0] == ("create", "TableItem again-claim")


def test_a_model_that_is_no_more_gives_its_name_up(stacks: Stacks) -> None:
    stacks.stack("second", f"name: renamed\n{WEB}", QUICK).up()
    assert holders(stacks) == {"org/name:tag": (["again"], False)}


def test_a_destroyed_stack_gives_its_name_up_last_and_another_takes_it(stacks: Stacks) -> None:
    stacks.stack("first", f"name: again\n{MODEL}", QUICK).destroy()
    events = stacks.events()
    assert events[-1] == ("delete", "TableItem again-claim")
    assert stacks.asked.writes[-1] == ("DeleteItem", "model#org/name:tag", len(events) - 1)
    stacks.stack("second", f"name: renamed\n{MODEL}", QUICK).up()
    assert holders(stacks) == {"org/name:tag": (["renamed"], False)}


def test_options_of_keys_are_set_one_by_one_and_leave_the_keys_as_they_are(stacks: Stacks) -> None:
    config = {"keys.default": "", "keys.alice.requests_per_minute": "60", "keys.alice.runs": "a,b"}
    before = stacks.gateway(GATEWAY_WITHOUT_DOMAIN).outputs()["api_keys"].value
    happened = stacks.happened()
    keys = stacks.gateway(GATEWAY_WITHOUT_DOMAIN, **config).up().outputs["api_keys"].value
    assert keys.keys() == {"default", "alice"}
    assert keys["default"] == before["default"]
    assert sorted(stacks.events(happened)) == [
        ("create", "RandomBytes gateway-key-alice"),
        ("create", "TableItem gateway-key-alice"),
    ]
    stacks.gateway(GATEWAY_WITHOUT_DOMAIN, **{**config, "keys.alice.requests_per_minute": "7"}).up()
    assert stacks.events(happened)[2:] == [("update", "TableItem gateway-key-alice")]
    item = json.loads(stacks.one("gateway", "TableItem", "gateway-key-alice").inputs["item"])
    known = json.loads(item["record"]["S"])
    assert (known["runs"], known["requests_per_minute"]) == (["a", "b"], 7)
