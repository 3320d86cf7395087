"""The real program under the real engine: a gateway with a domain and its services, from the first preview to the end.

All of it happens in one account, in the order of this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pulumi import automation

from tests.engine.deployment import noise, refusal
from tests.engine.stacks import MODEL, TOKEN, WEB, Stacks, changes, in_order
from tests.support.requirements import require

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.xdist_group("engine-program")]

PASSWORD = "a pass word of a registry: $HOME"
MULTILINE = 'two\nlines, "quoted"'
SECRETS = {"env.HUGGING_FACE_HUB_TOKEN": TOKEN, "env.CERTIFICATE": MULTILINE}
SLOW = f"name: slow\n{WEB}"
SERVICE = f"{MODEL}registry_auth: {{username: me, password: '{PASSWORD}'}}\n"


@dataclass
class Deployed:
    """The account after a gateway and a service were deployed, and how that went."""

    stacks: Stacks
    previews: list[Mapping[str, int]]
    ups: list[automation.UpResult]
    again: list[dict[str, int]]
    made_by_previews: int

    @property
    def gateway(self) -> automation.UpResult:
        return self.ups[0]

    @property
    def service(self) -> automation.UpResult:
        return self.ups[1]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    require("pulumi")
    stacks = Stacks(tmp_path_factory.mktemp("program") / "stacks")
    try:
        done = Deployed(stacks, [], [], [], 0)
        for make in (lambda: stacks.gateway(), lambda: stacks.stack("mistral", SERVICE, secrets=SECRETS)):
            stack, before = make(), stacks.happened()
            done.previews.append({str(kind): count for kind, count in stack.preview().change_summary.items()})
            done.made_by_previews += stacks.happened() - before
            done.ups.append(stack.up())
            done.again.append(changes(stack.up()))
        yield done
    finally:
        stacks.close()


def test_a_preview_announces_what_up_makes_and_makes_nothing(deployed: Deployed) -> None:
    assert deployed.made_by_previews == 0
    assert deployed.previews == [changes(up) for up in deployed.ups]
    assert all(preview.keys() == {"create"} for preview in deployed.previews)


def test_up_again_without_a_change_changes_nothing(deployed: Deployed) -> None:
    assert deployed.again == [{}, {}]


def test_a_service_finds_its_gateway_through_the_stack_reference(deployed: Deployed) -> None:
    stacks, connection = deployed.stacks, deployed.gateway.outputs["connection"].value
    group = stacks.one("mistral", "Group", "mistral-replicas").inputs
    assert group["vpcZoneIdentifiers"] == connection["subnet_ids"]
    assert stacks.one("mistral", "ListenerRule", "mistral-host").inputs["listenerArn"] == connection["listener_arn"]
    assert stacks.one("mistral", "Record", "mistral-address").inputs["name"] == "mistral.example.com"
    outputs = {name: one.value for name, one in deployed.service.outputs.items()}
    first = group["mixedInstancesPolicy"]["launchTemplate"]["overrides"][0]["instanceType"]
    assert {name: outputs[name] for name in ("url", "model", "openai_base_url", "hourly_price")} == {
        "url": "https://mistral.example.com",
        "model": "some/model",
        "openai_base_url": "https://gateway.example.com/v1",
        "hourly_price": f"$0.8048 an hour for each replica ({first}, on demand)",
    }


def test_a_service_is_made_in_the_order_of_the_design(deployed: Deployed) -> None:
    events = [event for event in deployed.stacks.events() if " mistral-" in event[1]]
    assert events[0] == ("create", "TableItem mistral-claim")
    assert events[-1] == ("create", "TableItem mistral-run")
    assert in_order(
        events,
        ("create", "TargetGroup mistral-replicas"),
        ("create", "ListenerRule mistral-host"),
        ("create", "Group mistral-replicas"),
        ("create", "Record mistral-address"),
        ("create", "TableItem mistral-run"),
    )
    said = [line for line in deployed.service.stdout.splitlines() if "mistral serves" in line]
    assert said, "progress is shown while it is waited for"


def test_no_secret_is_in_clear_in_state_stack_config_or_what_the_engine_shows(deployed: Deployed) -> None:
    keys = deployed.gateway.outputs["api_keys"]
    assert keys.secret
    secrets = [*keys.value.values(), TOKEN, PASSWORD, MULTILINE]
    assert len(secrets) == 4
    deployment = deployed.stacks.deployment
    places = {
        "state of the gateway": deployment.state("gateway"),
        "state of the service": deployment.state("mistral"),
        **{path.name: path.read_text() for path in (deployment.folder / "project").glob("Pulumi.*.yaml")},
        **{f"output {number}": f"{up.stdout}{up.stderr}" for number, up in enumerate(deployed.ups)},
    }
    assert len(places) == 6
    spelt = [
        form for secret in secrets for form in (secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3])
    ]
    assert {place for place, text in places.items() for form in spelt if form in text} == set()
    parameters = [record.inputs["value"] for record in deployment.account().records.of("aws:ssm/parameter:Parameter")]
    assert any(TOKEN in value for value in parameters), "they do arrive"
    template = deployed.stacks.one("mistral", "LaunchTemplate", "mistral-replica").inputs
    assert not any(form in json.dumps(template) for form in spelt)


def test_curl_of_a_service_that_needs_a_key_reads_it_from_the_gateway_and_an_open_one_has_none(
    deployed: Deployed,
) -> None:
    curl = deployed.service.outputs["curl"].value
    assert "Authorization: Bearer $(pulumi stack output api_keys --stack organization/servestack/gateway" in curl
    assert "https://gateway.example.com/v1/chat/completions" in curl
    stacks = deployed.stacks
    second = stacks.stack("whoami", WEB).up()
    assert second.outputs["curl"].value == "curl https://whoami.example.com/"
    assert "model" not in second.outputs
    assert [_record(stacks, run).get("auth", True) for run in ("whoami", "mistral")] == [False, True]


def test_the_run_name_of_another_stack_fails_before_anything_costs(deployed: Deployed) -> None:
    stacks = deployed.stacks
    before = stacks.happened()
    with pytest.raises(automation.CommandError) as failed:
        stacks.stack("other", f"name: whoami\n{WEB}").up()
    said = refusal(failed.value)
    assert (
        "    error: run name: the stack organization/servestack/whoami has the name whoami: set another `name` in the "
        "configuration, or destroy that stack\n"
    ) in said
    assert noise(said) == []
    assert "Outputs:" not in said
    assert stacks.events(before) == []
    assert stacks.there("other") == []


def test_image_environment_port_replicas_and_scaling_change_in_place(deployed: Deployed) -> None:
    stacks = deployed.stacks
    changed = (
        SERVICE.replace("3.3.7", "3.3.6")
        .replace("some/model\n  - H", "some/model\n  - MAX_TOTAL_TOKENS=8192\n  - H")
        .replace("port: 80", "port: 8080")
        .replace("--port 80", "--port 8080")
        .replace("1..2", "2..4")
        .replace("target: 4", "target: 8")
    )
    before, asked = stacks.happened(), len(stacks.asked.actions)
    stacks.stack("mistral", changed, secrets=SECRETS).up()
    assert sorted(stacks.events(before)) == [
        ("update", "Group mistral-replicas"),
        ("update", "LaunchTemplate mistral-replica"),
        ("update", "MetricAlarm mistral-remove"),
        ("update", "Policy mistral-add"),
        ("update", "TableItem mistral-run"),
    ], "and the minimum is in the routing record"
    assert in_order(
        stacks.events(before), ("update", "LaunchTemplate mistral-replica"), ("update", "Group mistral-replicas")
    )
    assert "DescribeTargetHealth" in stacks.asked.actions[asked:], "it is waited for again"
    group = stacks.one("mistral", "Group", "mistral-replicas").inputs
    assert (group["minSize"], group["maxSize"]) == (2, 4)


def test_a_secret_that_changes_rolls_the_replicas(deployed: Deployed) -> None:
    stacks = deployed.stacks
    before = stacks.happened()
    secrets = {**SECRETS, "env.HUGGING_FACE_HUB_TOKEN": TOKEN[::-1]}
    stacks.stack("mistral", SERVICE, secrets=secrets).up()
    events = stacks.events(before)
    parameter = next(name for _, name in events if name.startswith("Parameter "))
    assert in_order(
        events,
        ("update", parameter),
        ("update", "LaunchTemplate mistral-replica"),
        ("update", "Group mistral-replicas"),
    )
    assert {event for event, _ in events} == {"update"}


def test_a_minimum_of_zero_adds_what_wakes_it_and_is_not_waited_for(deployed: Deployed) -> None:
    stacks = deployed.stacks
    before, asked = stacks.happened(), len(stacks.asked.actions)
    stacks.stack("mistral", SERVICE.replace("1..2", "0..2"), secrets=SECRETS).up()
    made = sorted(name for event, name in stacks.events(before) if event == "create")
    assert made == ["MetricAlarm mistral-give-up", "MetricAlarm mistral-wake", "Policy mistral-wake"]
    assert not any(event == "delete" for event, _ in stacks.events(before))
    assert stacks.asked.actions[asked:] == ["ResumeProcesses"], "a group that a failed update froze goes on"
    assert _record(stacks, "mistral")["min_replicas"] == 0


def test_a_target_group_is_replaced_by_one_that_the_rule_leads_to_before_it_goes(deployed: Deployed) -> None:
    stacks = deployed.stacks
    old = stacks.one("whoami", "TargetGroup", "whoami-replicas")
    before = stacks.happened()
    stacks.stack("whoami", WEB).up(replace=[old.urn])
    events = stacks.events(before)
    assert in_order(
        events,
        ("create", "TargetGroup whoami-replicas"),
        ("update", "ListenerRule whoami-host"),
        ("delete", "TargetGroup whoami-replicas"),
    )
    assert events.index(("update", "Group whoami-replicas")) < events.index(("delete", "TargetGroup whoami-replicas"))
    assert {name for event, name in events if event == "delete"} == {"TargetGroup whoami-replicas"}


def test_a_new_run_name_is_served_before_the_old_one_goes(deployed: Deployed) -> None:
    stacks = deployed.stacks
    before = stacks.happened()
    stacks.stack("whoami", f"name: who\n{WEB}").up()
    events = stacks.events(before)
    assert events[0] == ("create", "TableItem who-claim")
    assert in_order(
        events,
        ("create", "TableItem who-run"),
        ("delete", "TableItem whoami-run"),
        ("delete", "TableItem whoami-claim"),
    )
    assert {name for event, name in events if event == "update"} == set()
    assert not [name for name in stacks.there("whoami") if name.startswith("whoami-")]


def test_a_service_that_does_not_serve_has_no_route_and_costs_nothing_until_it_does(deployed: Deployed) -> None:
    stacks = deployed.stacks
    stacks.asked.cause = "the image does not exist"
    with pytest.raises(automation.CommandError) as failed:
        stacks.stack("other", SLOW, {"on_failure": "keep"}).up()
    assert "    error: slow does not serve: the image does not exist\n" in refusal(failed.value)
    assert "on_failure is keep" in refusal(failed.value)
    assert noise(refusal(failed.value)) == []
    assert stacks.deployment.stack("other", {}).outputs() == {}, "nothing is listed as if it served"
    group = stacks.one("other", "Group", "slow-replicas")
    assert group.id not in stacks.asked.capacity
    missing = {"slow-run", "slow-address"}
    assert not missing & set(stacks.there("other"))

    with pytest.raises(automation.CommandError) as failed:
        stacks.stack("other", SLOW).up()
    assert "set to zero and its instances have ended" in refusal(failed.value)
    assert stacks.asked.capacity[group.id] == (0, 0)
    assert not missing & set(stacks.there("other"))

    stacks.asked.cause = None
    stacks.stack("other", SLOW).up()
    assert stacks.asked.capacity[group.id] == (1, 1)
    assert missing < set(stacks.there("other"))


def test_an_update_that_did_not_serve_is_waited_for_again_though_nothing_changes(deployed: Deployed) -> None:
    stacks = deployed.stacks
    changed = f"name: again\n{WEB.replace('v1.11', 'v1.12')}"
    stacks.stack("again", f"name: again\n{WEB}").up()
    stacks.asked.cause = "the image does not exist"
    with pytest.raises(automation.CommandError) as failed:
        stacks.stack("again", changed).up()
    assert "    error: again does not serve: the image does not exist\n" in refusal(failed.value)
    assert noise(refusal(failed.value)) == []
    assert stacks.stack("again", changed).outputs()["url"].value == "https://again.example.com", "the state keeps them"
    group = stacks.one("again", "Group", "again-replicas")
    assert stacks.asked.capacity[group.id] == (0, 0)

    stacks.asked.cause = None
    before, asked = stacks.happened(), len(stacks.asked.actions)
    stacks.stack("again", changed).up()
    assert stacks.events(before) == []
    assert "DescribeTargetHealth" in stacks.asked.actions[asked:]
    assert stacks.asked.capacity[group.id] == (1, 1)
    stacks.stack("again", changed).destroy()


def test_a_gateway_is_not_deleted_under_its_services_and_goes_after_them(deployed: Deployed) -> None:
    stacks = deployed.stacks
    there = stacks.there("gateway")
    with pytest.raises(automation.CommandError) as failed:
        stacks.gateway().destroy()
    said = refusal(failed.value)
    assert (
        "    error: the gateway still has the runs mistral (stack organization/servestack/mistral), "
        "slow (stack organization/servestack/other), who (stack organization/servestack/whoami), whose instances "
    ) in said
    assert noise(said) == []
    assert stacks.there("gateway") == there

    before = stacks.happened()
    for name, configuration in (("mistral", SERVICE), ("other", SLOW), ("whoami", f"name: who\n{WEB}")):
        stacks.stack(name, configuration, secrets=SECRETS if name == "mistral" else None).destroy()
        assert stacks.there(name) == []
    gone = [name for event, name in stacks.events(before) if event == "delete" and " mistral-" in name]
    assert gone[0] == "TableItem mistral-run"
    assert gone[-1] == "TableItem mistral-claim"
    order = [
        "Record mistral-address",
        "Group mistral-replicas",
        "ListenerRule mistral-host",
        "TargetGroup mistral-replicas",
    ]
    assert [name for name in gone if name in order] == order

    before = stacks.happened()
    stacks.gateway().destroy()
    function, policy = ("delete", "Function gateway-function"), ("delete", "RolePolicy gateway-function")
    for held in ("Subnet gateway-public-a", "SecurityGroup gateway-function"):
        assert in_order(stacks.events(before), function, ("delete", held), policy), "its interfaces go by its role"
    kept = ["gateway-api-logs", "gateway-api-logs", "gateway-api-logs", "gateway-certificate"]
    assert stacks.there("gateway") == kept, "the account's own log role, and the proof that other certificates share"


def _record(stacks: Stacks, run: str) -> dict[str, Any]:
    """What the registry says of a run."""
    return json.loads(json.loads(stacks.one(run, "TableItem", f"{run}-run").inputs["item"])["record"]["S"])
