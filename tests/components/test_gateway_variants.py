"""What differs between gateways: domain, certificate, keys, protection, the account's setting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.components import api
from infra.components.api_errors import API_ERRORS
from tests.aws.standin import Cloud, World
from tests.components.deploying import Account, item, plain

GATEWAY = "type: gateway\nbackend: aws\nregion: us-east-1\n"
WITH_DOMAIN = f"{GATEWAY}domain: example.com\n"


def test_without_a_domain_the_api_s_own_address_serves(account: Account) -> None:
    gateway = account.up("gateway", {"configuration": account.written("gateway.yml", GATEWAY)})
    api = gateway.one("aws:apigateway/restApi:RestApi")
    assert api.inputs["disableExecuteApiEndpoint"] is False
    made = [one.type for one in gateway.resources]
    assert not {type for type in made if type.startswith(("aws:acm", "aws:route53"))}
    assert "aws:apigateway/domainName:DomainName" not in made
    url = f"https://{gateway.made(api).id}.execute-api.us-east-1.amazonaws.com/live"
    assert (gateway.exports["url"], gateway.exports["openai_base_url"]) == (url, f"{url}/v1")
    connection = gateway.exports["connection"]
    assert connection["api_target"] == {"url": url}
    assert connection.keys() & {"domain", "zone_id"} == set()
    assert "GATEWAY_DOMAIN" not in gateway.one("aws:lambda/function:Function").inputs["environment"]["variables"]
    assert [call.token for call in gateway.run.calls if "route53" in call.token] == []


def test_the_zone_is_that_of_the_longest_suffix(tmp_path: Path) -> None:
    zones = {"example.com": "Z0EXAMPLE0", "ai.example.com": "Z0AI0EXAMPLE", "com": "Z0COM0"}
    account = Account(tmp_path, Cloud(World(zones=zones)))
    text = f"{GATEWAY}domain: llm.ai.example.com\n"
    gateway = account.up("gateway", {"configuration": account.written("gateway.yml", text)})
    assert gateway.exports["connection"]["zone_id"] == "Z0AI0EXAMPLE"
    assert {one.inputs["zoneId"] for one in gateway.of("aws:route53/record:Record")} == {"Z0AI0EXAMPLE"}


def test_a_zone_is_taken_that_is_named_in_stack_config(tmp_path: Path) -> None:
    zones = {"example.com": "Z0EXAMPLE0", "ai.example.com": "Z0AI0EXAMPLE"}
    account = Account(tmp_path, Cloud(World(zones=zones)))
    text = f"{GATEWAY}domain: llm.ai.example.com\n"
    config = {"configuration": account.written("gateway.yml", text), "zone_id": "Z0EXAMPLE0"}
    assert account.up("gateway", config).exports["connection"]["zone_id"] == "Z0EXAMPLE0"


PRIVATE, SECOND = ("ai.example.com", "Z0PRIVATE0", True), ("example.com", "Z0SECOND0", False)


def test_a_private_zone_is_not_looked_at(tmp_path: Path) -> None:
    world = World(zones={"example.com": "Z0EXAMPLE0"}, other_zones=(PRIVATE,))
    account = Account(tmp_path, Cloud(world))
    text = f"{GATEWAY}domain: ai.example.com\n"
    gateway = account.up("gateway", {"configuration": account.written("gateway.yml", text)})
    assert gateway.exports["connection"]["zone_id"] == "Z0EXAMPLE0"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "domain ai.example.com: this account has several public zones for example.com; set zone_id"),
        (
            {"zone_id": "Z0PRIVATE0"},
            "stack config zone_id: Z0PRIVATE0 is a private zone, which clients and ACM cannot see; set",
        ),
    ],
    ids=["two of them", "a private one"],
)
def test_a_zone_that_nobody_could_mean_is_refused(tmp_path: Path, config: dict[str, str], says: str) -> None:
    world = World(zones={"example.com": "Z0EXAMPLE0"}, other_zones=(PRIVATE, SECOND))
    account = Account(tmp_path, Cloud(world))
    text = f"{GATEWAY}domain: ai.example.com\n"
    (error,) = account.attempt("gateway", {"configuration": account.written("gateway.yml", text), **config}).errors
    assert says in error


def test_a_certificate_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"
    account = Account(tmp_path, Cloud(World(certificates=(arn,))))
    text = f"{WITH_DOMAIN}certificate: {{type: acm, arn: '{arn}'}}\n"
    gateway = account.up("gateway", {"configuration": account.written("gateway.yml", text)})
    assert gateway.one("aws:apigateway/domainName:DomainName").inputs["regionalCertificateArn"] == arn
    assert not [one.type for one in gateway.resources if one.type.startswith("aws:acm/")]
    assert [one.name for one in gateway.of("aws:route53/record:Record")] == ["gateway-gateway"]


def test_nothing_is_protected_where_that_is_switched_off(account: Account) -> None:
    gateway = account.up("gateway", {"configuration": account.written("gateway.yml", GATEWAY), "protect": "false"})
    assert [one.name for one in gateway.resources if one.protect] == []
    assert gateway.one("aws:lb/loadBalancer:LoadBalancer").inputs["enableDeletionProtection"] is False
    assert gateway.one("aws:dynamodb/table:Table").inputs["deletionProtectionEnabled"] is False


def test_the_account_s_setting_can_be_somebody_else_s(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(World(api_gateway_role=True)))
    config = {"configuration": account.written("gateway.yml", GATEWAY), "manage_api_gateway_account": "false"}
    gateway = account.up("gateway", config)
    assert gateway.of("aws:apigateway/account:Account") == ()
    assert gateway.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment") == ()
    assert [one.name for one in gateway.of("aws:iam/role:Role")] == ["gateway-function"]
    assert "accessLogSettings" in gateway.one("aws:apigateway/stage:Stage").inputs


def test_a_second_key_of_a_holder_leaves_the_first_as_it_is(account: Account) -> None:
    path = account.written("gateway.yml", GATEWAY)
    before = account.up("gateway", {"configuration": path, "keys": "alice,bob"})
    rotated = account.up("gateway", {"configuration": path, "keys": "alice,alice@2,bob"})
    assert rotated.changes() == {
        "RandomBytes gateway-key-alice@2": "create",
        "TableItem gateway-key-alice@2": "create",
    }
    keys, later = plain(before.exports["api_keys"]), plain(rotated.exports["api_keys"])
    assert {name: later[name] for name in keys} == keys
    assert len(set(later.values())) == 3
    names = {item(one)["record"]["name"] for one in rotated.of("aws:dynamodb/tableItem:TableItem")}
    assert names == {"alice", "alice@2", "bob"}
    done = account.up("gateway", {"configuration": path, "keys": "alice@2,bob"})
    assert done.changes() == {"RandomBytes gateway-key-alice": "delete", "TableItem gateway-key-alice": "delete"}


def test_a_gateway_may_have_no_keys(account: Account) -> None:
    gateway = account.up("gateway", {"configuration": account.written("gateway.yml", GATEWAY), "keys": "[]"})
    assert plain(gateway.exports["api_keys"]) == {}


def test_services_are_open_by_default_where_the_gateway_says_so(account: Account) -> None:
    config = {"configuration": account.written("gateway.yml", GATEWAY), "auth": "false"}
    assert account.up("gateway", config).exports["connection"]["auth"] is False


def test_memory_layer_name_and_tags_are_the_plan_s(account: Account) -> None:
    layer = "arn:aws:lambda:me-south-1:123456789012:layer:adapter:1"
    text = "type: gateway\nname: inference\nbackend: aws\nregion: me-south-1\ntags: {team: research}\n"
    config = {"configuration": account.written("gateway.yml", text), "adapter_layer": layer, "memory_size": "1024"}
    gateway = account.up("gw", config)
    function = gateway.one("aws:lambda/function:Function", "inference-function").inputs
    assert (function["memorySize"], function["layers"]) == (1024, [layer])
    (provider,) = [one for one in gateway.run.registrations if one.type == "pulumi:providers:aws"]
    assert "research" in str(provider.inputs["defaultTags"])
    assert provider.inputs["region"] == "me-south-1"


@pytest.mark.parametrize(
    ("changed", "changes"),
    [
        (
            {"memory_size": "1024"},
            {"Function gateway-function": "update", "Dashboard gateway-dashboard": "update"},
        ),
        ({"domain": "example.com"}, None),
    ],
)
def test_a_changed_setting_changes_what_it_is_about(
    account: Account, changed: dict[str, str], changes: dict[str, str] | None
) -> None:
    path = account.written("gateway.yml", GATEWAY)
    account.up("gateway", {"configuration": path})
    made = account.up("gateway", {"configuration": path, **changed}).changes()
    if changes is not None:
        assert made == changes
    else:
        changed_otherwise = {name: step for name, step in made.items() if step not in ("create", "update")}
        assert changed_otherwise == {"Deployment gateway-deployment": "replace"}, "only with it the own address is off"
        assert made["DomainName gateway-domain"] == "create"
        assert made["RestApi gateway-api"] == "update"


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("TIMEOUT", 600_000),
        ("BINARY_TYPES", ("*/*",)),
        ("OPEN", "AWS_IAM"),
        ("API_ERRORS", {kind: error for kind, error in API_ERRORS.items() if kind != "THROTTLED"}),
        ("API_ERRORS", {kind: replace(error, code="other") for kind, error in API_ERRORS.items()}),
    ],
)
def test_whatever_of_the_api_changes_is_deployed(
    account: Account, monkeypatch: pytest.MonkeyPatch, constant: str, value: object
) -> None:
    config = {"configuration": account.written("gateway.yml", GATEWAY)}
    account.up("gateway", config)
    monkeypatch.setattr(api, constant, value)
    made = account.up("gateway", config).changes()
    assert made["Deployment gateway-deployment"] == "replace"
    assert made["Stage gateway-stage"] == "update"


def test_a_name_of_the_greatest_length_fits_everything(account: Account) -> None:
    account.up("gateway", {"configuration": account.written("gateway.yml", f"{GATEWAY}name: {'n' * 41}\n")})
