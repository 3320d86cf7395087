"""The plugins and the stand-in under the real engine, with a small program that has a resource of each kind."""

from __future__ import annotations

import pytest
from pulumi import automation

from tests.engine.conftest import Deploy
from tests.engine.deployment import ROOT, Deployment

SAMPLE = ROOT / "tests" / "engine" / "sample"
SECRETS = {"token": "a token that nobody may see"}

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.xdist_group("engine")]


def test_a_program_is_previewed_deployed_left_alone_changed_replaced_and_destroyed_in_order(deploy: Deploy) -> None:
    sample = deploy(SAMPLE)
    config = {"item": "a", "log_name": "sample-logs"}
    stack = sample.stack("dev", config, SECRETS)

    assert stack.preview().change_summary == {"create": 9}
    assert sample.account().records.all == [], "a preview makes nothing"

    up = stack.up()
    assert up.summary.resource_changes == {"create": 9}
    assert up.outputs["answer"].value.startswith("noted registry-")
    assert up.outputs["key"].secret
    assert SECRETS["token"] not in sample.state("dev")
    assert up.outputs["key"].value not in sample.state("dev")

    assert stack.up().summary.resource_changes == {"same": 9}

    seen = len(_events(sample))
    stack = sample.stack("dev", {**config, "retention": 7, "owner": "you", "cidr": "10.1.0.0/16"}, SECRETS)
    assert stack.up().summary.resource_changes == {"same": 6, "update": 2, "replace": 1}
    events = _events(sample)[seen:]
    assert sorted(events) == [
        ("create", "network"),
        ("delete", "network"),
        ("update", "claim"),
        ("update", "logs"),
    ]
    assert events.index(("create", "network")) < events.index(("update", "claim")) < events.index(("delete", "network"))

    seen = len(_events(sample))
    stack = sample.stack("dev", {**config, "log_class": "INFREQUENT_ACCESS"}, SECRETS)
    stack.up()
    events = [event for event in _events(sample)[seen:] if event[1] == "logs"]
    assert events == [("delete", "logs"), ("create", "logs")], "two log groups cannot have one name"

    seen = len(_events(sample))
    stack.destroy()
    deleted = [name for event, name in _events(sample)[seen:] if event == "delete"]
    assert sorted(deleted) == ["claim", "key", "logs", "network", "registry", "token"]
    assert deleted.index("claim") < min(deleted.index("registry"), deleted.index("network"))
    assert sample.account().records.all == []


def test_the_engine_starts_the_plugins_itself_and_shows_what_they_refuse(deploy: Deploy) -> None:
    sample = deploy(SAMPLE, started_by_engine=True)
    stack = sample.stack("dev", {"item": "a", "retention": 31}, SECRETS)
    with pytest.raises(automation.CommandError) as failed:
        stack.preview()
    shown = str(failed.value)
    assert "using pulumi-resource-aws from $PATH" in shown
    assert "retentionInDays" in shown
    assert "expected one of ['0', '1', '3', '5', '7'" in shown
    assert SECRETS["token"] not in shown


def test_a_second_stack_of_the_same_account_cannot_make_what_is_there(deploy: Deploy) -> None:
    sample = deploy(SAMPLE)
    sample.stack("one", {"item": "a"}, SECRETS).up()
    with pytest.raises(automation.CommandError) as failed:
        sample.stack("two", {"item": "a"}, SECRETS).up()
    assert "ParameterAlreadyExists" in str(failed.value)
    assert {record.urn.split("::")[0] for record in sample.account().records.all if "token" in record.urn} == {
        "urn:pulumi:one"
    }


def test_a_missing_setting_is_refused_before_anything_is_made(deploy: Deploy) -> None:
    sample = deploy(SAMPLE)
    with pytest.raises(automation.CommandError, match="item"):
        sample.stack("dev", {}, SECRETS).up()
    assert sample.account().records.all == []


def _events(sample: Deployment) -> list[tuple[str, str]]:
    return [(event, urn.rpartition("::")[2]) for event, urn in sample.account().records.history]
