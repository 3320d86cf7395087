"""The stacks of a project as `pulumi` shows them: one of a service, one of a gateway, and what else a test adds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commands.pulumi_cli import PulumiError
from commands.stack_state import GATEWAY, GROUP, LAUNCH_TEMPLATE, LOG_GROUP, STACK, TABLE_ITEM
from infra.planning.table_items import claim_item
from tests.readiness.stack import state

REGION = "us-east-1"
FUNCTION_LOG = "/servestack/gateway/function-1a2b3c4"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:AAAA"}
"""A secret, as Pulumi exports it."""


def service_state(stack: Mapping[str, Any] | None = None, changed: dict[str, dict[str, Any]] | None = None) -> Any:
    """A service. `stack`: the outputs of its stack."""
    exported = state(changed)
    exported["deployment"]["resources"][0]["outputs"] = stack or {"url": "https://yellow-cat-1.example.com"}
    return exported


def reserved(exported: Any, type: str, **null: None) -> Any:
    """The same service in a reservation: its group has no mixed instances policy, and its launch template has the type.
    `null`: what its group has without a value."""
    resources: list[Any] = exported["deployment"]["resources"]
    for resource in resources:
        if resource["type"] == GROUP:
            group = {name: value for name, value in resource["outputs"].items() if name != "mixedInstancesPolicy"}
            resource["outputs"] = {**group, "launchTemplate": {"id": "lt-1", "version": "2"}, **null}
    resources.append({"type": LAUNCH_TEMPLATE, "outputs": {"instanceType": type, "latestVersion": 2}})
    return exported


def gateway_state(more: Sequence[Mapping[str, Any]] = ()) -> Any:
    """A gateway with its log groups. The order of resources in a state is that of their creation."""
    logs = [
        {"type": LOG_GROUP, "outputs": {"name": name, "arn": f"arn:aws:logs:{REGION}:123456789012:log-group:{name}"}}
        for name in ("/servestack/gateway/access-5d6e7f8", FUNCTION_LOG)
    ]
    outputs = {"url": "https://gateway.example.com", "api_keys": SECRET}
    resources = [{"type": STACK, "outputs": outputs}, {"type": GATEWAY, "outputs": {}}, *logs, *more]
    return {"version": 3, "deployment": {"resources": resources}}


def claim_of(run: str, table: str) -> dict[str, Any]:
    """What a service's state has of its claim."""
    return {TABLE_ITEM: {"item": claim_item(run, f"organization/servestack/{run}"), "tableName": table}}


@dataclass
class FakePulumi:
    """A `pulumi` command that knows these stacks."""

    stacks: Mapping[str, Any]
    """Name -> state."""
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Name -> stack config."""

    def __call__(self, arguments: Sequence[str]) -> str:
        match arguments:
            case ["stack", "ls", "--json"]:
                return json.dumps([{"name": name, "current": False} for name in self.stacks])
            case ["stack", "export", "--stack", stack]:
                if stack not in self.stacks:
                    raise PulumiError(f"error: no stack named '{stack}' found")
                return json.dumps(self.stacks[stack])
            case ["config", "--json", "--stack", stack]:
                return json.dumps(self.config.get(stack, {}))
            case _:
                raise AssertionError(f"the command does not ask: {arguments}")
