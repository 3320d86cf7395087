"""What a service's stack makes, asserted on what the program asked for."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.aws.recording import Recording
from tests.components.deploying import GATEWAY, OFFERS_OF_24_GB, item, plain


def kinds(recording: Recording) -> list[str]:
    return sorted(one.type.rpartition(":")[2] for one in recording.resources)


def table(service: Recording) -> str:
    """The name of the gateway's registry."""
    return str(service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-claim").inputs["tableName"])


def test_what_is_made_is_one_service(service: Recording) -> None:
    assert kinds(service) == [
        "Dashboard",
        "Group",
        "InstanceProfile",
        "LaunchTemplate",
        "ListenerRule",
        "LogGroup",
        "Parameter",
        "Record",
        "Resource",
        "Resource",
        "Resource",
        "Role",
        "RolePolicy",
        "RolePolicy",
        "SecurityGroup",
        "SecurityGroupEgressRule",
        "SecurityGroupIngressRule",
        "Stash",
        "TableItem",
        "TableItem",
        "TargetGroup",
    ]


def test_the_run_name_is_part_of_every_name(service: Recording) -> None:
    names = [
        one.name for one in service.run.registrations if one.type not in ("pulumi:providers:aws", "pulumi:index:Stash")
    ]
    assert [name for name in names if not name.startswith("yellow-cat-1")] == []


def test_the_claim_is_this_stack_s_and_comes_before_everything(service: Recording) -> None:
    claim = service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-claim")
    assert item(claim) == {
        "pk": "registry",
        "sk": "claim#yellow-cat-1",
        "owner": "organization/servestack/yellow-cat-1",
    }
    others = [one for one in service.resources if one is not claim and one.type != "pulumi:index:Stash"]
    first = service.one("pulumi-python:dynamic:Resource", "yellow-cat-1-name")
    assert [one for one in others if claim.urn not in service.waits_for(one)] == [first]
    assert first.urn in service.waits_for(claim), "it names the stack that has the run name"


def test_the_order_is_secrets_rule_group_readiness_address_route(service: Recording) -> None:
    order = [
        service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-claim"),
        service.one("pulumi-python:dynamic:Resource", "yellow-cat-1-model"),
        service.one("aws:ssm/parameter:Parameter"),
        service.one("aws:ec2/launchTemplate:LaunchTemplate"),
        service.one("aws:autoscaling/group:Group"),
        service.one("pulumi-python:dynamic:Resource", "yellow-cat-1-readiness"),
        service.one("aws:route53/record:Record"),
        service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-run"),
    ]
    for before, after in itertools.pairwise(order):
        assert before.urn in service.waits_for(after), f"{after.name} does not wait for {before.name}"
    rule = service.one("aws:lb/listenerRule:ListenerRule")
    assert service.one("aws:lb/targetGroup:TargetGroup").urn in service.waits_for(rule)
    assert rule.urn in service.waits_for(order[4])


def test_the_model_name_is_claimed_before_anything_but_the_run_name(service: Recording) -> None:
    run = service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-claim")
    claim = service.one("pulumi-python:dynamic:Resource", "yellow-cat-1-model")
    assert {name: plain(value) for name, value in claim.inputs.items() if name != "__provider"} == {
        "model": "mistralai/Mistral-7B-Instruct-v0.1",
        "run": "yellow-cat-1",
        "owner": "organization/servestack/yellow-cat-1",
        "shared": False,
        "region": "us-east-1",
        "table": table(service),
    }
    first = service.one("pulumi-python:dynamic:Resource", "yellow-cat-1-name")
    others = [one for one in service.resources if one not in (first, run, claim) and one.type != "pulumi:index:Stash"]
    assert [one.name for one in others if claim.urn not in service.waits_for(one)] == []


def test_the_routing_item_waits_for_everything_but_the_dashboard(service: Recording) -> None:
    """A dashboard that cannot be created must not keep requests from a service that serves."""
    last = service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-run")
    waited = service.waits_for(last)
    rest = [one for one in service.resources if one is not last and one.type != "pulumi:index:Stash"]
    assert [one.type for one in rest if one.urn not in waited] == ["aws:cloudwatch/dashboard:Dashboard"]


def test_the_group_waits_for_the_policy_of_its_role(service: Recording) -> None:
    group = service.one("aws:autoscaling/group:Group")
    assert service.one("aws:iam/rolePolicy:RolePolicy", "yellow-cat-1-replica").urn in service.waits_for(group)


def test_the_target_group_has_no_fixed_name_and_waits_for_generations_to_end(service: Recording) -> None:
    group = service.one("aws:lb/targetGroup:TargetGroup").inputs
    assert "name" not in group
    assert {
        name: group.get(name) for name in ("port", "protocol", "targetType", "deregistrationDelay", "slowStart")
    } == {
        "port": 8000,
        "protocol": "HTTP",
        "targetType": "instance",
        "deregistrationDelay": 900,
        "slowStart": None,
    }
    assert group["loadBalancingAlgorithmType"] == "least_outstanding_requests"
    assert group["healthCheck"] == {
        "enabled": True,
        "protocol": "HTTP",
        "port": "traffic-port",
        "path": "/health",
        "matcher": "200",
        "interval": 10,
        "timeout": 5,
        "healthyThreshold": 2,
        "unhealthyThreshold": 3,
    }


def test_the_rule_names_the_run_s_host_and_no_priority(service: Recording) -> None:
    rule = service.one("aws:lb/listenerRule:ListenerRule")
    target = service.made(service.one("aws:lb/targetGroup:TargetGroup")).id
    assert "priority" not in rule.inputs
    assert rule.inputs["conditions"] == [{"hostHeader": {"values": ["yellow-cat-1.example.com"]}}]
    assert rule.inputs["actions"] == [{"type": "forward", "targetGroupArn": target}]


def test_readiness_waits_for_the_template_s_version(service: Recording) -> None:
    readiness = service.one("pulumi-python:dynamic:Resource", "yellow-cat-1-readiness")
    given = {name: plain(value) for name, value in readiness.inputs.items() if name != "__provider"}
    assert given == {
        "run": "yellow-cat-1",
        "stack": "yellow-cat-1",
        "region": "us-east-1",
        "group": service.made(service.one("aws:autoscaling/group:Group")).id,
        "target_group": service.made(service.one("aws:lb/targetGroup:TargetGroup")).id,
        "table": table(service),
        "log_group": service.made(service.one("aws:cloudwatch/logGroup:LogGroup")).id,
        "version": "1",
        "minimum": 1,
        "roll": {"min_healthy_percentage": 100, "max_healthy_percentage": 200, "warmup": 2100},
        "port": 80,
        "boot_timeout": 1800,
        "on_failure": "stop",
    }


def test_the_address_is_an_alias_of_the_gateway_s(service: Recording) -> None:
    record = service.one("aws:route53/record:Record").inputs
    (alias,) = record["aliases"]
    assert (record["name"], record["type"], record["zoneId"]) == (
        "yellow-cat-1.example.com",
        "A",
        "Z0123456789ABCDEFGHIJ",
    )
    assert alias["name"].endswith(".execute-api.us-east-1.amazonaws.com")
    assert alias["evaluateTargetHealth"] is False
    assert not record.get("allowOverwrite"), "two stacks must not take a name from each other"


def test_the_routing_item_is_what_the_gateway_reads(service: Recording) -> None:
    entry = item(service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-run"))
    model = entry["record"].pop("model")
    assert entry == {
        "pk": "registry",
        "sk": "run#yellow-cat-1",
        "record": {
            "run": "yellow-cat-1",
            "host": "yellow-cat-1.example.com",
            "instance_types": list(OFFERS_OF_24_GB),
            "hourly_price": 0.8048,
        },
    }
    assert (model["name"], model["chat_template"], model["eos_token"]) == (
        "mistralai/Mistral-7B-Instruct-v0.1",
        "{{ messages }}",
        "</s>",
    )


def test_instances_and_volumes_have_the_stack_s_tags(service: Recording) -> None:
    tags = {
        "Name": "yellow-cat-1",
        "servestack:stack": "organization/servestack/yellow-cat-1",
        "servestack:run": "yellow-cat-1",
    }
    template = service.one("aws:ec2/launchTemplate:LaunchTemplate").inputs
    assert template["tagSpecifications"] == [
        {"resourceType": kind, "tags": tags} for kind in ("instance", "volume", "network-interface")
    ]
    group = service.one("aws:autoscaling/group:Group").inputs
    assert group["tags"] == [{"key": key, "value": value, "propagateAtLaunch": False} for key, value in tags.items()]
    (provider,) = [one for one in service.run.registrations if one.type == "pulumi:providers:aws"]
    defaults = provider.inputs["defaultTags"]
    given = json.loads(defaults) if isinstance(defaults, str) else defaults
    assert given == {"tags": {key: value for key, value in tags.items() if key != "Name"}}


def test_the_outputs_are_those_of_the_design(service: Recording) -> None:
    assert {name: value for name, value in service.exports.items() if name != "curl"} == {
        "url": "https://yellow-cat-1.example.com",
        "model": "mistralai/Mistral-7B-Instruct-v0.1",
        "openai_base_url": "https://gateway.example.com/v1",
        "instance_types": "g6.xlarge, g6.2xlarge, g5.xlarge, g5.2xlarge, g6.4xlarge, gr6.4xlarge, g5.4xlarge, "
        "g6.8xlarge, gr6.8xlarge, g5.8xlarge, g6.16xlarge and 7 more",
        "hourly_price": "$0.8048 an hour (g6.xlarge, on demand)",
        "dashboard": "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/"
        f"servestack-{table(service)}-yellow-cat-1",
        "logs": "make logs STACK=yellow-cat-1 ARGS=--follow",
        "what_next": {
            "send a request": "pulumi stack output curl --stack yellow-cat-1 | sh",
            "follow its logs": "make logs STACK=yellow-cat-1 ARGS=--follow",
            "see what runs": "make status",
            "let everyone call it": "pulumi config set auth false --stack yellow-cat-1 && "
            "pulumi up --stack yellow-cat-1",
            "take it down": "pulumi destroy --stack yellow-cat-1",
        },
    }


def test_the_curl_command_asks_the_gateway_s_stack_for_a_key(service: Recording) -> None:
    assert service.exports["curl"] == (
        "curl https://gateway.example.com/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        f'  -H "Authorization: Bearer $(pulumi stack output api_keys --stack {GATEWAY} --show-secrets | '
        "cut -sd'\"' -f4)\" \\\n"
        '  -d \'{"model":"mistralai/Mistral-7B-Instruct-v0.1","messages":[{"role":"user","content":"What is Deep '
        'Learning?"}],"max_tokens":128}\''
    )


def test_pulumi_shows_the_curl_command_whole(service: Recording) -> None:
    """It cuts a text after three lines, and a line after 150 characters."""
    lines = str(service.exports["curl"]).splitlines()
    assert (len(lines), max(map(len, lines)) <= 150) == (3, True)


@pytest.mark.parametrize("word", ["protect", "retain_on_delete"])
def test_nothing_of_a_service_is_kept(service: Recording, word: str) -> None:
    assert [one.name for one in service.resources if getattr(one, word)] == []
