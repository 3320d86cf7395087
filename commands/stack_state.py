"""What the state of a deployed stack says: its resources and its stack config.

The commands read the state because the outputs of a stack do not name its group, its log group and its function. Its
secrets stay encrypted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.pulumi_cli import Pulumi
from infra.configuration.names import PROJECT
from infra.planning.operation import DECIDED
from infra.planning.plan import FIRST_GROUP, Roll
from infra.planning.table_items import CLAIM, PARTITION_KEY, REGISTRY, SORT_KEY
from infra.readiness import Awaited

GROUP = "aws:autoscaling/group:Group"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
TABLE = "aws:dynamodb/table:Table"
TABLE_ITEM = "aws:dynamodb/tableItem:TableItem"
GATEWAY = "servestack:gateway:Gateway"
STACK = "pulumi:pulumi:Stack"
_FUNCTION = re.compile(r"/servestack/[^/]+/function-")


@dataclass(frozen=True, kw_only=True)
class Bought:
    """How the instances of a service are bought."""

    types: tuple[str, ...]
    """AWS's names of the instance types, the plan's first offer first."""
    spot: bool | None
    """Whether all are spot, or none; `None`: some can be."""


@dataclass(frozen=True, kw_only=True)
class FunctionLog:
    """The log group of a gateway's function."""

    group: str
    region: str
    days: int | None
    """How long it keeps a line; `None`: the state does not say."""


class StackError(Exception):
    """The stack is not what the command needs. `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class StackState:
    """One stack: its resources and its stack config. Values that are secret are encrypted."""

    name: str
    resources: tuple[Mapping[str, Any], ...]
    """Every resource, as Pulumi exports it."""
    config: Mapping[str, Any]

    @property
    def is_gateway(self) -> bool:
        return any(resource["type"] == GATEWAY for resource in self.resources)

    @property
    def is_service(self) -> bool:
        return bool(self.all_of(GROUP))

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs of the stack; nothing before the first `pulumi up` has succeeded."""
        found = self.all_of(STACK)
        return found[-1] if found else {}

    @property
    def profile(self) -> str | None:
        """The AWS profile in `aws:profile`; `None`: the caller's own credentials are used."""
        return self.setting("aws:profile")

    def setting(self, key: str) -> str | None:
        """Return a value of the stack config, by its full key. A secret has no value here."""
        value: str | None = self.config.get(key, {}).get("value")
        return value

    def all_of(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the outputs of all resources of a type that exist and stay."""
        return [outputs for _, outputs in self.named(kind)]

    def named(self, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the outputs of all resources of a type that exist and stay, each with its name in Pulumi."""
        there = [resource for resource in self.resources if resource.get("outputs") and not resource.get("delete")]
        return [
            (str(resource.get("urn", "")).rpartition("::")[2], resource["outputs"])
            for resource in there
            if resource["type"] == kind
        ]

    def one_of(self, kind: str) -> Mapping[str, Any]:
        """Return the outputs of the resource of a type that a service has once. Raises `StackError`."""
        found = self.all_of(kind)
        if not found:
            raise StackError(
                f"{self.name} has no {kind} in its state: it is not the stack of a service, or pulumi up ended too "
                f"early. Run pulumi up --stack {self.name}"
            )
        return found[-1]


def read_stack(name: str, pulumi: Pulumi) -> StackState:
    """Return the state and the stack config of a stack. Raises what `pulumi` raises."""
    exported = json.loads(pulumi(["stack", "export", "--stack", name]))
    config = json.loads(pulumi(["config", "--json", "--stack", name]))
    return stack_state(name, exported, config)


def stack_state(name: str, exported: Mapping[str, Any], config: Mapping[str, Any]) -> StackState:
    """Return a stack.

    Args:
        name: its name, for messages.
        exported: what `pulumi stack export` prints.
        config: what `pulumi config --json` prints.
    """
    deployment: Mapping[str, Any] = exported.get("deployment") or {}
    return StackState(name=name, resources=tuple(deployment.get("resources") or ()), config=config)


def stack_names(pulumi: Pulumi) -> list[str]:
    """Return the names of all stacks of the project. Raises what `pulumi` raises."""
    found: list[dict[str, Any]] = json.loads(pulumi(["stack", "ls", "--json"]))
    return sorted(stack["name"] for stack in found)


def function_log(state: StackState) -> FunctionLog:
    """Return the log of a gateway's function. Raises `StackError`: the stack is not of a gateway."""
    for group in state.all_of(LOG_GROUP):
        if _FUNCTION.match(group["name"]):
            days = group.get("retentionInDays")
            return FunctionLog(group=group["name"], region=group["arn"].split(":")[3], days=int(days) if days else None)
    raise StackError(
        f"{state.name} has no log of a function in its state: it is not the stack of a gateway, or pulumi up ended too "
        f"early. Run pulumi up --stack {state.name}"
    )


@dataclass(frozen=True, kw_only=True)
class DeployedGroup:
    """A group of a service's replicas. Most services have one."""

    awaited: Awaited
    bought: Bought


def service_of(state: StackState) -> Awaited:
    """Return the service of a stack, with its first group. Raises `StackError`: the stack is not of a service, or is
    not deployed yet."""
    return groups_of(state)[0].awaited


def groups_of(state: StackState) -> tuple[DeployedGroup, ...]:
    """Return the groups of a service's replicas. Raises what `service_of` raises."""
    state.one_of(GROUP)  # a stack without a group has a better error than one without a claim
    run, table = _claim(state)
    found = [(_group_name(name, run), outputs) for name, outputs in state.named(GROUP)]
    return tuple(
        DeployedGroup(
            awaited=_awaited(state, outputs, run, table, name if len(found) > 1 else None),
            bought=_bought(state, outputs),
        )
        for name, outputs in sorted(found, key=lambda one: one[0])
    )


def _group_name(name: str, run: str) -> str:
    """Return the name of a group of replicas, from the name of its Auto Scaling group in Pulumi."""
    return name.removeprefix(run).removesuffix("-replicas").removeprefix("-") or FIRST_GROUP


def _awaited(state: StackState, group: Mapping[str, Any], run: str, table: str, replica_group: str | None) -> Awaited:
    preferences = group["instanceRefresh"]["preferences"]
    return Awaited(
        run=run,
        stack=state.name,
        region=str(group["arn"]).split(":")[3],
        group=group["name"],
        target_group=group["targetGroupArns"][0],
        table=table,
        log_group=state.one_of(LOG_GROUP)["name"],
        version=int(_template(group)["version"]),
        minimum=int(group["minSize"]),
        roll=Roll(
            min_healthy_percentage=int(preferences["minHealthyPercentage"]),
            max_healthy_percentage=int(preferences["maxHealthyPercentage"]),
            warmup=int(preferences["instanceWarmup"]),
        ),
        port=None,
        boot_timeout=int(preferences["instanceWarmup"]) - DECIDED,
        on_failure="keep" if state.setting(f"{PROJECT}:on_failure") == "keep" else "stop",
        replica_group=replica_group,
    )


def _bought(state: StackState, group: Mapping[str, Any]) -> Bought:
    """Return how the instances of a group are bought."""
    mixed: Mapping[str, Any] | None = group.get("mixedInstancesPolicy")
    if not mixed:  # a service with a reservation: the launch template has its one instance type
        used: Mapping[str, Any] = group.get("launchTemplate") or {}
        own = [template for template in state.all_of(LAUNCH_TEMPLATE) if template.get("id") == used.get("id")]
        template = own[-1] if own else state.one_of(LAUNCH_TEMPLATE)
        return Bought(types=(template["instanceType"],), spot=False)
    overrides: Sequence[Mapping[str, Any]] = mixed["launchTemplate"].get("overrides") or ()
    distribution: Mapping[str, Any] = mixed.get("instancesDistribution") or {}
    on_demand = distribution.get("onDemandPercentageAboveBaseCapacity", 100) == 100  # AWS's default
    mixture = distribution.get("onDemandBaseCapacity") or 0
    return Bought(
        types=tuple(override["instanceType"] for override in overrides),
        spot=False if on_demand else None if mixture else True,
    )


def _template(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the version of the launch template that the group has. A failed `pulumi up` can have made newer ones."""
    mixed = group.get("mixedInstancesPolicy")
    return mixed["launchTemplate"]["launchTemplateSpecification"] if mixed else group["launchTemplate"]


def _claim(state: StackState) -> tuple[str, str]:
    """Return the run name and the table that has its claim."""
    for outputs in state.all_of(TABLE_ITEM):
        if not isinstance(outputs.get("item"), str):
            continue
        item: Mapping[str, Any] = json.loads(outputs["item"])
        sort = item.get(SORT_KEY, {}).get("S", "")
        if item.get(PARTITION_KEY, {}).get("S") == REGISTRY and sort.startswith(CLAIM):
            return sort.removeprefix(CLAIM), outputs["tableName"]
    raise StackError(f"{state.name} has no claim of a run name in its state: run pulumi up --stack {state.name}")
