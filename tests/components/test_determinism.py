"""What is deployed depends on configuration, stack config and the committed catalog alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands.property_values import FileValue
from infra.planning import catalog, read_catalog
from infra.planning import service as service_planning
from infra.preflight import Clients
from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account
from tests.support.examples import EXAMPLES

SCALED = (
    "type: service\nimage: nginx\nport: 80\nresources: {gpu: 16GB..}\nreplicas: 0..4\n"
    "scaling: {metric: rps, target: 2.5}\nspot_policy: auto\nenv: {B: b, A: a, C: c}\n"
)


def asked_for(recording: Recording) -> dict[str, Any]:
    """Everything of a run that could make a difference, whatever the order in which it was asked for."""
    return {
        one.urn: dataclasses.replace(one, inputs={name: _plain(value) for name, value in one.inputs.items()})
        for one in recording.run.registrations
    }


def _plain(value: Any) -> Any:
    return "a file" if isinstance(value, FileValue) else value


def deploy(folder: Path, text: str) -> list[dict[str, Any]]:
    folder.mkdir()
    account = Account(folder)
    path = account.written("gateway.yml", f"{GATEWAY}domain: example.com\n")
    gateway = account.up("gateway", {"configuration": path, "keys": "a,b"})
    service = account.up("run", {"configuration": account.written("serve.yml", text)}, secrets={"env": {"D": "d"}})
    return [asked_for(gateway), asked_for(service)]


def test_two_runs_of_the_same_input_ask_for_the_same(tmp_path: Path) -> None:
    assert deploy(tmp_path / "one", SCALED) == deploy(tmp_path / "two", SCALED)


def test_a_second_run_in_the_same_account_changes_nothing(account: Account) -> None:
    for stack, configuration in (("gateway", "gateway.dstack.yml"), ("run", "autoscaling/serve.dstack.yml")):
        config = {"configuration": str(EXAMPLES / configuration)}
        account.up(stack, config)
        assert account.up(stack, config).changes() == {}


def test_the_order_of_the_catalog_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = deploy(tmp_path / "one", SCALED)
    monkeypatch.setattr(service_planning, "read_catalog", lambda: read_catalog()[::-1])
    assert deploy(tmp_path / "two", SCALED) == before


def test_prices_and_everything_else_that_aws_says_now_make_no_difference(account: Account, tmp_path: Path) -> None:
    """Of what preflight is told, nothing gets into what is asked for: an AWS that answers nothing, and none at all."""
    account.with_gateway(GATEWAY)
    silent = Account(tmp_path).with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", SCALED)}
    assert asked_for(silent.up("run", config, clients=mute())) == asked_for(account.up("run", config))


def mute() -> Clients:
    """An AWS that knows the caller and answers no other question."""

    class Service:
        def __getattr__(self, name: str) -> Any:
            from botocore.exceptions import EndpointConnectionError

            def ask(**_: Any) -> Mapping[str, Any]:
                if name == "get_caller_identity":
                    return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/deployer"}
                raise EndpointConnectionError(endpoint_url="https://example.com")

            return ask

        def get_paginator(self, name: str) -> Any:
            class Paginator:
                def paginate(self, **_: Any) -> Iterator[Any]:
                    from botocore.exceptions import EndpointConnectionError

                    raise EndpointConnectionError(endpoint_url="https://example.com")

            return Paginator()

    return Clients(
        aws=lambda service, region: Service(),
        name_servers=lambda domain: None,
        caa=lambda domain: None,
        check_access=lambda wanted: None,
    )


def test_the_catalog_is_dated(account: Account) -> None:
    service = account.with_gateway(GATEWAY).up("run", {"configuration": account.written("serve.yml", SCALED)})
    said = "\n".join(message for _, message in service.run.messages)
    assert f"list prices per hour, in {catalog.PRICES_REGION} on {catalog.PRICES_AS_OF}" in said
