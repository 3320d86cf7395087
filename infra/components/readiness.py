"""Waiting until a service serves, as a resource. It runs `infra.readiness` at the right moment of an update."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import msgspec
import pulumi
from pulumi import dynamic

from infra.components.dynamic_provider import DynamicProvider
from infra.planning import ServicePlan
from infra.preflight.aws_errors import aws_failures, error_code, in_words
from infra.readiness import (
    Awaited,
    Clients,
    Clock,
    NotServingError,
    WallClock,
    aws_clients,
    release,
    wait_until_serving,
)

WAITED_FOR = ("version", "group", "target_group", "minimum")
"""A change of one of these makes the service a matter of waiting again; the others only say how."""


class ReadinessProvider(DynamicProvider):
    """Waits when the resource is created, and when what it waits for has changed. A failed wait is repeated. Deleting
    it lets a group continue that a failed update has frozen, because the service can still exist without waiting."""

    def __init__(
        self, clients: Callable[[str, str | None], Clients] = aws_clients, clock: Callable[[], Clock] = WallClock
    ) -> None:
        super().__init__()
        self._clients = clients
        self._clock = clock

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        self._wait(props)
        return dynamic.CreateResult(id_=str(props["group"]), outs=props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        names = ("profile", *(field.name for field in fields(Awaited)))
        return dynamic.DiffResult(changes=any(_olds.get(name) != _news.get(name) for name in names))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        if any(_olds.get(name) != _news.get(name) for name in WAITED_FOR):
            self._wait(_news)
        return dynamic.UpdateResult(outs=_news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        group, region = str(_props["group"]), str(_props["region"])
        try:
            release(group, self._clients(region, _props.get("profile")))
        except (NotServingError, *aws_failures()) as error:
            if error_code(error) != "ValidationError":  # there is no such group any more
                _say(
                    f"AWS does not say whether {group} can start and end instances ({in_words(error)}). If not, run "
                    f"aws autoscaling resume-processes --auto-scaling-group-name {group} --region {region}"
                )

    def _wait(self, props: Mapping[str, Any]) -> None:
        awaited = read_awaited(props)
        try:
            clients = self._clients(awaited.region, props.get("profile"))
            wait_until_serving(awaited, clients, clock=self._clock(), say=_say)
        except NotServingError as error:
            raise self.refusal(error) from None


@dataclass(frozen=True, kw_only=True)
class ReadinessArgs:
    """The service to wait for: the fields of `infra.readiness.Awaited`, some of which are outputs of other
    resources."""

    plan: ServicePlan
    stack: str
    """Name of the service's stack."""
    region: pulumi.Input[str]
    group: pulumi.Input[str]
    target_group: pulumi.Input[str]
    table: pulumi.Input[str]
    log_group: pulumi.Input[str]
    version: pulumi.Input[str]
    profile: str | None
    """The AWS profile to ask with; `None`: the caller's own credentials."""
    alone: bool = True
    """Whether these are all replicas of the run, and not one group of several."""


class Readiness(dynamic.Resource):
    """Waits for a healthy replica of the launch template's newest version. Without one, the update fails with the
    cause."""

    def __init__(self, name: str, args: ReadinessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = args.plan
        inputs: dict[str, pulumi.Input[Any]] = {
            "run": plan.run,
            "stack": args.stack,
            "region": args.region,
            "group": args.group,
            "target_group": args.target_group,
            "table": args.table,
            "log_group": args.log_group,
            "version": args.version,
            "minimum": plan.replicas.minimum,
            "roll": asdict(plan.roll),
            "port": plan.container.port,
            "boot_timeout": plan.boot_timeout,
            "on_failure": plan.on_failure,
            **({} if plan.capacity_timeout is None else {"capacity_timeout": plan.capacity_timeout}),
            **({} if args.alone else {"replica_group": plan.group}),
            **({} if args.profile is None else {"profile": args.profile}),
        }
        super().__init__(ReadinessProvider(), name, inputs, opts)


def read_awaited(props: Mapping[str, Any]) -> Awaited:
    """Return the service to wait for, from a resource's properties, in which every number is a float."""
    return msgspec.convert(props, Awaited, strict=False)


def _say(line: str) -> None:
    """Print a line. The engine shows at once what the process of dynamic resources writes."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
