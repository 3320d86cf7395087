"""What differs between services: buying, zones, image, waiting, domain, auth, credentials."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import TOKEN, Account, is_secret, item, plain
from tests.support.examples import EXAMPLES

Deploy = Callable[..., Recording]
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
TGI = (
    "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.7\nport: 80\n"
    "model: {type: chat, name: m, format: tgi, chat_template: '{{ messages }}', eos_token: '</s>'}\n"
    "resources: {gpu: 24GB}\n"
)
MAY_BE_NONE = f"{WEB}replicas: 0..4\nscaling: {{metric: rps, target: 2.5}}\n"
NO_DOMAIN = " "
GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
DYNAMIC = "pulumi-python:dynamic:Resource"


def test_without_a_domain_a_run_answers_by_path_and_has_a_host_of_its_own_behind_the_balancer(deploy: Deploy) -> None:
    service = deploy(TGI, gateway=NO_DOMAIN)
    assert service.of("aws:route53/record:Record") == ()
    rule = service.one("aws:lb/listenerRule:ListenerRule").inputs
    assert rule["conditions"] == [{"hostHeader": {"values": ["run.internal"]}}]
    assert item(service.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"]["host"] == "run.internal"
    base = str(service.exports["url"]).removesuffix("/services/run")
    assert base.endswith(".execute-api.us-east-1.amazonaws.com/live")
    assert service.exports["openai_base_url"] == f"{base}/v1"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "spot_policy: spot\nmax_price: 1.5",
            {
                "onDemandBaseCapacity": 0,
                "onDemandPercentageAboveBaseCapacity": 0,
                "spotMaxPrice": "1.5",
            },
        ),
        (
            "spot_policy: spot\nmax_price: 1.23456789",
            {
                "onDemandBaseCapacity": 0,
                "onDemandPercentageAboveBaseCapacity": 0,
                "spotMaxPrice": "1.23456789",
            },
        ),
        (
            "spot_policy: spot\nmax_price: 1000000",
            {
                "onDemandBaseCapacity": 0,
                "onDemandPercentageAboveBaseCapacity": 0,
                "spotMaxPrice": "1000000",
            },
        ),
        ("spot_policy: auto", {"onDemandBaseCapacity": 1, "onDemandPercentageAboveBaseCapacity": 0}),
        (
            "spot_policy: auto\nreplicas: 2..4\nscaling: {metric: rps, target: 1}",
            {"onDemandBaseCapacity": 2, "onDemandPercentageAboveBaseCapacity": 0},
        ),
        (
            "spot_policy: on-demand\nmax_price: 1.5",
            {"onDemandBaseCapacity": 0, "onDemandPercentageAboveBaseCapacity": 100},
        ),
    ],
)
def test_replicas_are_bought_as_the_spot_policy_says(deploy: Deploy, keys: str, expected: dict[str, Any]) -> None:
    group = deploy(f"{WEB}{keys}\n").one(GROUP).inputs
    assert group["mixedInstancesPolicy"]["instancesDistribution"] == {
        "onDemandAllocationStrategy": "prioritized",
        "spotAllocationStrategy": "price-capacity-optimized",
        **expected,
    }
    assert group["capacityRebalance"] is (expected["onDemandPercentageAboveBaseCapacity"] == 0)


def test_a_user_s_tags_are_on_everything_that_takes_tags(deploy: Deploy) -> None:
    service = deploy(f"{WEB}tags: {{team: research, Name: web}}\n")
    tags = {
        "Name": "web",
        "servestack:stack": "organization/servestack/run",
        "servestack:run": "run",
        "team": "research",
    }
    (provider,) = [one for one in service.run.registrations if one.type == "pulumi:providers:aws"]
    assert json.loads(str(provider.inputs["defaultTags"])) == {"tags": tags}
    assert [one["tags"] for one in service.one(TEMPLATE).inputs["tagSpecifications"]] == [tags] * 3
    group = service.one(GROUP).inputs["tags"]
    assert {one["key"]: one["value"] for one in group} == tags


@pytest.mark.parametrize(
    ("text", "config"),
    [
        (MAY_BE_NONE, {}),
        (f"{WEB}replicas: 0\n", {}),
        (WEB, {"wait": "false"}),
    ],
)
def test_where_nothing_is_waited_for_the_route_waits_for_the_group(
    deploy: Deploy, text: str, config: dict[str, str]
) -> None:
    service = deploy(text, **config)
    assert [one.name for one in service.of(DYNAMIC)] == ["run-name"]
    route = service.one("aws:dynamodb/tableItem:TableItem", "run-run")
    assert service.one(GROUP).urn in service.waits_for(route)
    said = [message for severity, message in service.run.messages if severity == "info"]
    assert any(
        "pulumi up does not wait for a replica" in message or "wait is false" in message or "no replica runs" in message
        for message in said
    )


def test_replicas_run_in_the_zones_that_are_named(deploy: Deploy) -> None:
    service = deploy(f"{WEB}availability_zones: [us-east-1b, us-east-1c]\n")
    subnets = {one.id: one.outputs["availabilityZone"] for one in service.cloud.records.of("aws:ec2/subnet:Subnet")}
    chosen = service.one(GROUP).inputs["vpcZoneIdentifiers"]
    assert {subnets[one] for one in chosen} == {"us-east-1b", "us-east-1c"}
    assert chosen == sorted(chosen)


def test_settings_of_readiness_are_the_stack_s(deploy: Deploy) -> None:
    service = deploy(WEB, boot_timeout="45m", on_failure="keep")
    given = {name: plain(service.one(DYNAMIC, "run-readiness").inputs[name]) for name in ("boot_timeout", "on_failure")}
    assert given == {"boot_timeout": 2700, "on_failure": "keep"}
    group = service.one(GROUP).inputs
    assert group["instanceRefresh"]["preferences"]["instanceWarmup"] == "3000"


@pytest.mark.parametrize(
    ("gateway_auth", "own", "needed"),
    [("true", None, True), ("false", None, False), ("true", "false", False), ("false", "true", True)],
)
def test_a_key_is_needed_as_the_service_says_else_the_gateway(
    account: Account, gateway_auth: str, own: str | None, needed: bool
) -> None:
    account.up("gateway", {"configuration": account.written("gateway.yml", GATEWAY), "auth": gateway_auth})
    config = {"configuration": account.written("serve.yml", TGI), **({} if own is None else {"auth": own})}
    service = account.up("run", config)
    assert item(service.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"].get("auth", True) is needed
    assert ("Authorization" in str(service.exports["curl"])) is needed


def test_a_service_without_a_model_has_a_plain_curl_and_no_model(deploy: Deploy) -> None:
    service = deploy(f"{WEB}auth: false\n")
    assert "model" not in service.exports
    assert service.exports["curl"] == "curl https://run.example.com/"
    check = service.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"]
    assert (check["path"], check["matcher"]) == ("/", "200-499")


def test_a_key_of_the_upstream_s_own_is_secret_in_the_routing_item(deploy: Deploy) -> None:
    key = "upstream-key-AbCdEf0123456789"
    text = f"{WEB}model: {{type: chat, name: m, format: openai, upstream_api_key: {key}}}\n"
    service = deploy(text)
    entry = service.one("aws:dynamodb/tableItem:TableItem", "run-run")
    assert is_secret(entry.inputs["item"])
    assert item(entry)["record"]["model"]["upstream_api_key"] == key
    assert [where for where, text in service.texts() if key in text] == []


def test_a_run_s_name_may_be_one_that_ec2_takes_for_no_security_group(deploy: Deploy) -> None:
    assert (
        deploy(f"{WEB}name: sg-1\n").one("aws:ec2/securityGroup:SecurityGroup").inputs["namePrefix"]
        == "servestack-sg-1-"
    )


def test_credentials_of_the_image_s_registry_are_parameters(deploy: Deploy) -> None:
    password = "p4ssw0rd-AbCdEf-0123456789"
    service = deploy(f"{WEB}registry_auth: {{username: alice, password: {password}}}\n")
    parameters = {
        plain(one.inputs["name"]): plain(one.inputs["value"]) for one in service.of("aws:ssm/parameter:Parameter")
    }
    prefix = f"/servestack/{service.one('aws:dynamodb/tableItem:TableItem', 'run-claim').inputs['tableName']}/run/"
    assert parameters == {f"{prefix}registry-username": "alice", f"{prefix}registry-password": password}
    assert all(is_secret(one.inputs["value"]) for one in service.of("aws:ssm/parameter:Parameter"))
    assert [where for where, text in service.texts() if password in text] == []


def test_a_variable_of_the_caller_s_is_a_secret(account: Account, tmp_path: Any) -> None:
    account = Account(tmp_path, environment={"API_SECRET": TOKEN})
    account.with_gateway(GATEWAY)
    service = account.up("run", {"configuration": account.written("serve.yml", f"{WEB}env: [API_SECRET]\n")})
    assert plain(service.one("aws:ssm/parameter:Parameter").inputs["value"]) == TOKEN
    assert [where for where, text in service.texts() if TOKEN in text] == []


def test_a_changed_secret_rolls_the_replicas(account: Account) -> None:
    account.with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", WEB)}
    account.up("run", config, secrets={"env": {"TOKEN": "one"}})
    changed = account.up("run", config, secrets={"env": {"TOKEN": "two"}})
    assert changed.changes() == {
        "Parameter run-TOKEN": "update",
        "LaunchTemplate run-replica": "update",
        "Group run-replicas": "update",
        "Resource run-readiness": "update",
    }
    assert plain(changed.one(DYNAMIC, "run-readiness").inputs["version"]) == "2"


def test_at_preview_what_is_known_is_asked_for_and_nothing_is_made(account: Account) -> None:
    account.with_gateway(GATEWAY)
    made = len(account.cloud.records.all)
    config = {"configuration": str(EXAMPLES / "mistral" / "serve.dstack.yml"), "gpu": "24GB"}
    preview = account.up("run", config, preview=True)
    assert len(account.cloud.records.all) == made
    kinds = [one.type.rpartition(":")[2] for one in preview.resources]
    assert {"TableItem", "TargetGroup", "LaunchTemplate", "Group", "Resource"} <= set(kinds)
    assert preview.exports["url"].endswith("/services/run")


def test_names_of_the_greatest_length_fit_everything(deploy: Deploy) -> None:
    domain = ".".join(["d" * 30, "e" * 27, "com"])
    account_text = f"{MAY_BE_NONE}name: {'r' * 63}\n"
    with pytest.raises(AssertionError, match="no public hosted zone"):
        deploy(account_text, gateway=f"domain: {domain}\n")
    service = deploy(account_text, gateway=NO_DOMAIN)
    assert service.of(GROUP)
