"""Bad input: a message that says what to do, and nothing made."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path
from typing import Any

import pytest

from commands.program_monitor import Refused
from commands.property_values import PropertyValue
from infra.preflight import Clients
from tests.aws.recording import Recording
from tests.aws.standin import Cloud, World
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account
from tests.support.examples import EXAMPLES

WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
WITH_DOMAIN = f"{GATEWAY}domain: example.com\n"


def refused(recording: Recording) -> str:
    """What was said; nothing of AWS may have been asked for."""
    assert [one.urn for one in recording.resources if not one.type.startswith("pulumi:")] == []
    assert recording.exports == {}
    return "\n".join(recording.errors)


@pytest.mark.parametrize(
    ("stack", "outputs", "config", "says"),
    [
        (
            "run",
            None,
            {"gateway": "gatway"},
            "found:  gatway, which means the stack organization/servestack/gatway\n"
            "  rule:   a service needs a gateway, and this stack does not exist",
        ),
        ("run", None, {}, "found:  no gateway, which means the stack organization/servestack/gateway\n"),
        ("run", None, {"gateway": "a/b/c"}, "found:  a/b/c\n"),
        ("run", {}, {}, "rule:   this stack has no output `connection`: it is not a gateway, or its first `pulumi up`"),
        ("run", {"hourly_price": "1"}, {}, "rule:   this is the stack of another service, not of a gateway"),
        ("gateway", {}, {}, "rule:   this is the stack of the service itself, and a gateway needs its own stack"),
    ],
    ids=["mistyped", "missing", "of another project", "not deployed", "of a service", "the same"],
)
def test_a_gateway_that_is_no_stack_of_a_gateway(
    account: Account, stack: str, outputs: dict[str, PropertyValue] | None, config: dict[str, str], says: str
) -> None:
    if outputs is not None:
        account.outputs["organization/servestack/gateway"] = outputs
    config = {"configuration": account.written("serve.yml", f"name: run\n{WEB}"), **config}
    said = refused(account.attempt(stack, config))
    assert says in said
    assert f"serve.yml: 1 problem\n\n{'stack config ' if 'gateway' in config else ''}gateway\n" in said
    assert "pulumi config set gateway NAME" in said


def test_a_gateway_that_the_configuration_names_and_that_is_no_stack(account: Account) -> None:
    said = refused(account.attempt("run", {"configuration": account.written("serve.yml", f"{WEB}gateway: prod\n")}))
    assert "line 5, gateway\n  found:  prod, which means the stack organization/servestack/prod" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"found:  2.*version 1 of.*same version of servestack"),
        ({"version": None}, r"found:  None"),
        ({"table": None}, r"this is not the connection of a gateway"),
        ({"subnet_ids": "subnet-1"}, r"this is not the connection of a gateway"),
        ({"domain": "example.com"}, r"a domain without its hosted zone(.|\n)*this is not the connection of a gateway"),
    ],
)
def test_a_gateway_of_another_version(account: Account, change: dict[str, object], message: str) -> None:
    account.with_gateway(GATEWAY)
    outputs = account.outputs["organization/servestack/gateway"]
    connection = {**outputs["connection"], **change}  # type: ignore[dict-item]
    outputs["connection"] = {name: value for name, value in connection.items() if value is not None}
    said = refused(account.attempt("run", {"configuration": account.written("serve.yml", WEB)}))
    assert re.search(message, said, re.DOTALL)
    assert "gateway organization/servestack/gateway: 1 problem" in said


@pytest.mark.parametrize(
    ("text", "config", "message"),
    [
        ("regions: [eu-west-1]", {}, r"regions\n  found:  eu-west-1\n  rule:   .*which is us-east-1"),
        ("", {"regions": "eu-west-1,eu-west-2"}, r"regions\n  found:  eu-west-1, eu-west-2"),
        ("availability_zones: [eu-west-1a]", {}, r"availability_zones\n  found:  eu-west-1a"),
        (
            "",
            {"aws:region": "eu-west-1"},
            r"aws:region: found eu-west-1, but the configuration of the gateway says us-east-1",
        ),
        ("availability_zones: [us-east-1f]", {}, r"the gateway has no subnet in us-east-1f"),
    ],
)
def test_a_region_that_contradicts_the_gateway_s(
    account: Account, text: str, config: dict[str, str], message: str
) -> None:
    account.with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", f"{WEB}{text}\n"), **config}
    said = refused(account.attempt("run", config))
    assert re.search(message, said), said


def test_several_contradictions_are_said_together(account: Account) -> None:
    account.with_gateway(GATEWAY)
    text = f"{WEB}regions: [eu-west-1]\navailability_zones: [eu-west-1a]\n"
    said = refused(account.attempt("run", {"configuration": account.written("serve.yml", text)}))
    assert "2 problems" in said


def test_a_region_of_stack_config_that_contradicts_the_gateway_s_own(account: Account) -> None:
    config = {"configuration": account.written("gateway.yml", GATEWAY), "aws:region": "eu-west-1"}
    assert "aws:region: found eu-west-1" in refused(account.attempt("gateway", config))


def test_a_run_name_that_another_stack_has(account: Account) -> None:
    """The claim fails, and everything else waits for it."""
    account.with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", f"{WEB}name: taken\n")}
    account.up("one", config)
    second = account.attempt("two", config)
    assert "ConditionalCheckFailedException" in "\n".join(second.errors)
    assert [one.name for one in second.resources if one.type.startswith("aws:")] == ["taken-claim"]


@pytest.mark.parametrize("name", ["gateway", "services", "v1", "www"])
def test_a_reserved_run_name(account: Account, name: str) -> None:
    account.with_gateway(GATEWAY)
    said = refused(account.attempt("run", {"configuration": account.written("serve.yml", f"{WEB}name: {name}\n")}))
    assert "a run name must not be gateway, services, v1 or www" in said


@pytest.mark.parametrize("stack", ["Yellow_Cat", "v1"])
def test_a_stack_whose_name_is_no_run_name(account: Account, stack: str) -> None:
    account.with_gateway(GATEWAY)
    assert "run name" in refused(account.attempt(stack, {"configuration": account.written("serve.yml", WEB)}))


@pytest.mark.parametrize("domain", ["llm.example.org", "example.co.uk", "sub.llm.example.net"])
def test_a_domain_that_no_zone_holds(account: Account, domain: str) -> None:
    text = f"{GATEWAY}domain: {domain}\n"
    said = refused(account.attempt("gateway", {"configuration": account.written("gateway.yml", text)}))
    assert f"domain {domain}: this account has no public hosted zone that holds it (looked for {domain}" in said
    assert "or set zone_id" in said


def test_a_zone_that_is_not_there(account: Account) -> None:
    config = {"configuration": account.written("gateway.yml", WITH_DOMAIN), "zone_id": "Z0NOWHERE"}
    said = refused(account.attempt("gateway", config))
    assert said.startswith("RunError: stack config zone_id: this account has no hosted zone Z0NOWHERE; list them with")


class _Expired(Cloud):
    """An account whose credentials are of yesterday."""

    def call(self, token: str, arguments: dict[str, Any], region: str) -> Any:
        raise Refused("ExpiredToken: The security token included in the request is expired")


@pytest.mark.parametrize("kind", ["gateway", "service"])
def test_what_a_look_up_of_aws_fails_with_is_said_without_a_trace(tmp_path: Path, kind: str) -> None:
    """Where preflight, which says more, was skipped."""
    account = Account(tmp_path, _Expired())
    text = GATEWAY if kind == "gateway" else f"{WEB}availability_zones: [us-east-1a]\n"
    if kind == "service":
        account.outputs |= Account(tmp_path).with_gateway(GATEWAY).outputs
    recording = account.attempt(kind, {"configuration": account.written("it.yml", text)})
    asked = "getAvailabilityZones" if kind == "gateway" else "getSubnets"
    said = f"RunError: AWS refuses {asked}: ExpiredToken: The security token included in the request is expired"
    assert refused(recording) == said


def test_a_zone_that_does_not_hold_the_domain(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(World(zones={"example.com": "Z0EXAMPLE0", "ample.com": "Z0AMPLE0"})))
    config = {"configuration": account.written("gateway.yml", WITH_DOMAIN), "zone_id": "Z0AMPLE0"}
    assert "Z0AMPLE0 is the zone of ample.com, which does not hold example.com" in refused(
        account.attempt("gateway", config)
    )


@pytest.mark.parametrize(
    ("text", "config", "message"),
    [
        (f"{WEB}max_price: 0.1\n", {}, r"max_price"),
        (WEB, {"max_price": "0.1"}, r"max_price"),
        (f"{WEB}replicas: 3..1\nscaling: {{metric: rps, target: 1}}\n", {}, r"replicas"),
        (WEB, {"gpu": "A10G:100"}, r"gpu"),
        ("type: service\nimage: nginx\n", {}, r"port"),
        ("type: task\n", {}, r"type"),
        ("type: service\nimage: nginx\nport: 80\nfleets: [a]\n", {}, r"fleets"),
        (WEB, {"gatewey": "x"}, r"stack config gatewey\n.*\n.*\n  remedy: did you mean `gateway`\?"),
        (WEB, {"keys": "a"}, r"`keys` is a setting of a gateway, and this configuration is a service"),
        (GATEWAY, {"gpu": "24GB"}, r"`gpu` is a setting of a service, and this configuration is a gateway"),
        (WEB, {"boot_timeout": "soon"}, r"stack config boot_timeout"),
    ],
)
def test_a_configuration_or_setting_that_cannot_be_deployed(
    account: Account, text: str, config: dict[str, str], message: str
) -> None:
    account.with_gateway(GATEWAY)
    said = refused(account.attempt("run", {"configuration": account.written("serve.yml", text), **config}))
    assert re.search(message, said), said


def test_no_configuration_and_one_that_is_not_there(account: Account) -> None:
    assert "run `pulumi config set configuration PATH`" in refused(account.attempt("run", {}))
    assert "no-such-file.yml" in refused(account.attempt("run", {"configuration": "no-such-file.yml"}))


def test_a_boot_script_that_is_too_long(account: Account) -> None:
    noise = random.Random(0).choices(string.ascii_letters + string.digits, k=60_000)
    commands = "\n".join(f"  - echo {''.join(noise[start : start + 3000])}" for start in range(0, 60_000, 3000))
    account.with_gateway(GATEWAY)
    said = refused(
        account.attempt("run", {"configuration": account.written("serve.yml", f"{WEB}commands:\n{commands}\n")})
    )
    assert "EC2 allows 16384 bytes of user data" in said


def test_a_stack_keeps_its_type(account: Account) -> None:
    account.with_gateway(GATEWAY)
    account.up("run", {"configuration": account.written("serve.yml", WEB)})
    changed = account.attempt("run", {"configuration": account.written("gateway.yml", GATEWAY)})
    assert "its type is gateway, but this stack is a service, and a stack keeps its type" in "\n".join(changed.errors)
    assert [one.type for one in changed.resources if one.type.startswith("aws:")] == []


def expired() -> Clients:
    """What is asked with a token that has expired."""
    from botocore.exceptions import ClientError

    class Service:
        def __getattr__(self, name: str) -> object:
            def ask(**_: object) -> object:
                raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "The token is expired"}}, name)

            return ask

    return Clients(
        aws=lambda service, region: Service(),
        name_servers=lambda domain: None,
        caa=lambda domain: None,
        check_access=lambda wanted: None,
    )


def test_an_expired_token(account: Account) -> None:
    config = {"configuration": str(EXAMPLES / "gateway.dstack.yml")}
    said = refused(account.attempt("gateway", config, clients=expired()))
    assert "expired" in said
    assert "preflight false" in said
    account.with_gateway(GATEWAY)
    service = account.attempt("run", {"configuration": account.written("serve.yml", WEB)}, clients=expired())
    assert "expired" in refused(service)


def test_nothing_is_asked_where_preflight_is_off(account: Account) -> None:
    config = {"configuration": str(EXAMPLES / "gateway.dstack.yml"), "preflight": "false"}
    assert account.attempt("gateway", config, clients=expired()).errors == ()
