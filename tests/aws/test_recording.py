"""A program in process: what a recording has, and that nothing that goes wrong in it is lost."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pytest

from commands.program_monitor import Registration
from commands.property_values import UNKNOWN, SecretValue
from tests.aws.planting import Planted
from tests.aws.recording import attempt, record

REGION = "eu-central-1"


class Part(pulumi.ComponentResource):
    """A component with one child."""

    def __init__(self, name: str, provider: pulumi.ProviderResource) -> None:
        super().__init__("servestack:test:Part", name, None, pulumi.ResourceOptions(providers=[provider]))
        self.vpc = aws.ec2.Vpc(f"{name}-net", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({"vpc": self.vpc.id})


def _provider() -> aws.Provider:
    return aws.Provider("aws", region=REGION)


def test_a_recording_has_inputs_options_dependencies_exports_and_calls() -> None:
    def program() -> None:
        provider = _provider()
        part = Part("part", provider)
        options = pulumi.ResourceOptions(
            provider=provider, depends_on=[part], protect=True, ignore_changes=["retention_in_days"], aliases=[]
        )
        logs = aws.cloudwatch.LogGroup("logs", retention_in_days=7, tags={"of": part.vpc.id}, opts=options)
        zones = aws.get_availability_zones(opts=pulumi.InvokeOptions(provider=provider)).names
        pulumi.export("zones", zones)
        pulumi.export("logs", logs.arn)
        pulumi.export("domain", pulumi.Config().require("domain"))

    recording = record(program, {"domain": "example.com"}, stack="dev")
    net, logs = recording.resources
    vpc = recording.made(net)
    assert [one.name for one in recording.components] == ["part"]
    assert net.parent.endswith("::servestack:test:Part::part")
    assert net.inputs == {"cidrBlock": "10.0.0.0/16"}
    assert logs.inputs == {"retentionInDays": 7, "tags": {"of": vpc.id}}
    assert (logs.protect, logs.ignore_changes) == (True, ("retentionInDays",))
    assert dict(logs.property_dependencies) == {"retentionInDays": (), "tags": (net.urn,)}
    assert net.urn in recording.waits_for(logs)
    assert recording.exports == {
        "zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
        "logs": recording.made(logs).outputs["arn"],
        "domain": "example.com",
    }
    assert [call.token for call in recording.run.calls] == ["aws:index/getAvailabilityZones:getAvailabilityZones"]
    assert recording.run.component_outputs == {recording.components[0].urn: {"vpc": vpc.id}}


def test_secrets_stay_marked_and_what_stands_in_clear_can_be_searched() -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(provider=_provider())
        token = pulumi.Config().require_secret("token")
        aws.ssm.Parameter("token", name="/llm/token", type="SecureString", value=token, opts=options)
        aws.cloudwatch.LogGroup("leak", tags={"token": token.apply(lambda text: f"is {text}")}, opts=options)
        key = random.RandomBytes("key", length=4)
        pulumi.export("key", key.hex)
        pulumi.export("open", pulumi.Output.unsecret(token))

    recording = record(program, stack="dev", secrets={"token": "hush"})
    assert recording.one("aws:ssm/parameter:Parameter").inputs["value"] == SecretValue("hush")
    assert recording.one("aws:cloudwatch/logGroup:LogGroup").inputs["tags"] == {"token": SecretValue("is hush")}
    assert isinstance(recording.exports["key"], SecretValue)
    assert recording.exports["open"] == "hush"
    assert not [where for where, text in recording.texts() if "hush" in text]
    assert "hush" not in repr(recording.one("aws:ssm/parameter:Parameter"))


def test_a_preview_makes_nothing_and_knows_no_outputs() -> None:
    seen: list[str] = []

    def program() -> None:
        vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(provider=_provider()))
        pulumi.export("vpc", vpc.id.apply(seen.append))
        pulumi.export("cidr", vpc.cidr_block)

    recording = record(program, stack="dev", preview=True)
    assert recording.exports == {"vpc": UNKNOWN, "cidr": "10.0.0.0/16"}
    assert (seen, recording.cloud.records.all) == ([], [])


def test_a_stack_is_deployed_again_as_the_engine_does_it() -> None:
    def program() -> None:
        config = pulumi.Config()
        options = pulumi.ResourceOptions(provider=_provider())
        vpc = aws.ec2.Vpc("net", cidr_block=config.get("cidr") or "10.0.0.0/16", opts=options)
        group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description="x", opts=options)
        fixed = aws.cloudwatch.LogGroup(
            "fixed", name="/fixed", log_group_class=config.get("class") or "STANDARD", opts=options
        )
        if config.get_bool("more"):
            aws.cloudwatch.LogGroup("more", opts=options)
        aws.cloudwatch.LogGroup(
            "kept",
            retention_in_days=config.get_int("days") or 7,
            tags={"of": group.id},
            opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(ignore_changes=["retentionInDays"])),
        )
        pulumi.export("fixed", fixed.arn)

    first = record(program, {"more": True}, stack="dev")
    cloud = first.cloud
    assert first.changes() == dict.fromkeys(
        ("Vpc net", "SecurityGroup group", "LogGroup fixed", "LogGroup more", "LogGroup kept"), "create"
    )
    assert record(program, {"more": True, "days": 30}, stack="dev", cloud=cloud).changes() == {}
    assert record(program, stack="dev", cloud=cloud).changes() == {"LogGroup more": "delete"}

    moved = {"cidr": "10.1.0.0/16", "class": "INFREQUENT_ACCESS"}
    ahead = record(program, moved, stack="dev", cloud=cloud, preview=True)
    wanted = {
        "Vpc net": "replace",
        "SecurityGroup group": "replace",
        "LogGroup fixed": "replace",
        "LogGroup kept": "update",
    }
    assert ahead.changes() == wanted
    seen = len(cloud.records.history)
    assert record(program, moved, stack="dev", cloud=cloud).changes() == wanted
    events = [f"{event} {urn.rpartition('::')[2]}" for event, urn in cloud.records.history[seen:]]
    assert events.index("delete fixed") < events.index("create fixed")
    order = ["create net", "create group", "update kept", "delete group", "delete net"]
    assert [event for event in events if event in order] == order


def test_a_stash_keeps_what_it_was_given_first() -> None:
    def program() -> None:
        pulumi.export("kept", pulumi.Stash("kind", input=pulumi.Config().require("kind")).output)

    first = record(program, {"kind": "gateway"}, stack="dev")
    again = record(program, {"kind": "service"}, stack="dev", cloud=first.cloud)
    assert (first.exports, again.exports) == ({"kept": "gateway"}, {"kept": "gateway"})


def test_a_second_stack_reads_the_first_ones_outputs_in_the_same_account() -> None:
    def gateway() -> None:
        table = aws.dynamodb.Table(
            "registry",
            billing_mode="PAY_PER_REQUEST",
            hash_key="pk",
            attributes=[aws.dynamodb.TableAttributeArgs(name="pk", type="S")],
            opts=pulumi.ResourceOptions(provider=_provider()),
        )
        pulumi.export("connection", {"table": table.name, "region": REGION})
        pulumi.export("keys", pulumi.Output.secret({"default": "k"}))

    def service() -> None:
        gateway = pulumi.StackReference("organization/servestack/gateway")
        connection = gateway.require_output("connection")
        aws.dynamodb.TableItem(
            "claim",
            table_name=connection.apply(lambda given: given["table"]),
            hash_key="pk",
            item=json.dumps({"pk": {"S": "cat"}}),
            opts=pulumi.ResourceOptions(provider=_provider()),
        )
        pulumi.export("keys", gateway.get_output("keys"))

    first = record(gateway, stack="gateway")
    stacks = {"organization/servestack/gateway": first.exports}
    second = record(service, stack="cat", cloud=first.cloud, references=stacks)
    assert second.exports == {"keys": SecretValue({"default": "k"})}
    taken = attempt(service, stack="dog", cloud=first.cloud, references=stacks)
    assert taken.errors == (
        "urn:pulumi:dog::servestack::aws:dynamodb/tableItem:TableItem::claim: "
        "ConditionalCheckFailedException: The conditional request failed",
    )
    lost = attempt(service, stack="dog", references={})
    assert any("unknown stack 'organization/servestack/gateway'" in error for error in lost.errors)


def test_what_is_refused_is_told_and_what_depends_on_it_is_not_made() -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(provider=_provider())
        vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/8", opts=options)
        aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=options)
        aws.cloudwatch.LogGroup("logs", opts=options)
        aws.cloudwatch.LogGroup("nowhere")

    recording = attempt(program, stack="dev")
    assert [record.urn.rpartition("::")[2] for record in recording.cloud.records.all] == ["logs"]
    assert sorted(error.partition("::aws:")[2] for error in recording.errors) == [
        "cloudwatch/logGroup:LogGroup::nowhere: Missing region configuration: no explicit provider, and no aws:region",
        "ec2/vpc:Vpc::net: cidrBlock: InvalidVpc.Range: The CIDR '10.0.0.0/8' is invalid: /16 to /28 are allowed",
    ]
    with pytest.raises(AssertionError, match="InvalidVpc"):
        record(program, stack="dev")


@pytest.mark.parametrize("where", ["program", "apply"])
def test_what_a_program_raises_is_an_error_of_the_recording(where: str) -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=pulumi.ResourceOptions(provider=_provider()))
        pulumi.export("x", vpc.id.apply(_fail if where == "apply" else str))
        if where == "program":
            _fail("")

    assert attempt(program, stack="dev").errors == ("ValueError: a wrong turn",)
    with pytest.raises(AssertionError, match="a wrong turn"):
        record(program, stack="dev")


def _fail(_: Any) -> None:
    raise ValueError("a wrong turn")


def test_a_wrong_value_can_be_planted_in_what_a_program_asks_for() -> None:
    def program() -> None:
        aws.cloudwatch.LogGroup("logs", retention_in_days=7, opts=pulumi.ResourceOptions(provider=_provider()))

    recording = attempt(program, stack="dev", planted=Planted("logs", "retentionInDays", 8))
    assert len(recording.errors) == 1
    assert "retentionInDays: expected one of" in recording.errors[0]


def test_two_resources_of_one_name_are_refused() -> None:
    def program() -> None:
        for _ in range(2):
            random.RandomBytes("key", length=4)

    assert "Duplicate resource URN" in attempt(program, stack="dev").errors[0]


def test_a_dynamic_resource_answers_what_the_test_says() -> None:
    class Waiting(pulumi.dynamic.ResourceProvider):
        pass

    class Ready(pulumi.dynamic.Resource):
        healthy: pulumi.Output[bool]

    def program() -> None:
        ready = Ready(Waiting(), "ready", {"group": "g", "healthy": None})
        pulumi.export("healthy", ready.healthy)

    def answer(registration: Registration) -> dict[str, bool]:
        return {"healthy": registration.inputs["group"] == "g"}

    assert record(program, stack="dev", dynamic=answer).exports == {"healthy": True}


def test_random_bytes_have_ids_of_their_own() -> None:
    def program(*names: str) -> None:
        for name in names:
            random.RandomBytes(name, length=4)

    first = record(lambda: program("one", "two"), stack="dev")
    one, two = first.resources
    assert first.made(one).id != first.made(two).id
    second = record(lambda: program("two"), stack="dev", cloud=first.cloud)
    assert second.changes() == {"RandomBytes one": "delete"}
    assert [record.urn for record in second.cloud.records.all] == [two.urn]
