"""Elastic Load Balancing: addresses that answer, and the health that the load balancer reports."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeLoadBalancer, FakeTargetGroup, elbv2_backends

from cloud.control_plane.changes import CHANGES
from cloud.control_plane.clock import Clock
from cloud.control_plane.lacking.patching import instead

HEALTHY = ("healthy", None, None)
INITIAL = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
DRAINING = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_REGISTERED = ("unused", "Target.NotRegistered", "Target is not registered to the target group")
NOT_IN_USE = (
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
"""State, reason, description as AWS words them (elasticloadbalancing API: TargetHealth)."""


@functools.cache
def install(clock: Clock, first_port: int, *, by_themselves: bool = False) -> None:
    """Patch moto's load balancers. Each gets the next port of 127.0.0.1.

    by_themselves: nobody runs load balancers, so targets are healthy from the start and drain at once.
    """
    ports = itertools.count(first_port)

    @instead(FakeLoadBalancer, "__init__")
    def balancer(init: Any, self: Any, **named: Any) -> None:
        """moto's name resolves nowhere, and callers put the name of a load balancer into a URL.

        It is active at once, because HashiCorp's provider waits half a minute before it looks a second time.
        """
        init(self, **{**named, "dns_name": f"127.0.0.1:{next(ports)}", "state": "active"})

    @instead(ELBv2Backend, "delete_target_group")
    def delete_group(delete: Any, self: Any, target_group_arn: str) -> Any:
        """moto refuses to delete one that is not there, and the API does not (its only error is ResourceInUse)."""
        if target_group_arn in self.target_groups:
            return delete(self, target_group_arn)
        return None

    @instead(FakeTargetGroup, "__init__")
    def group(init: Any, self: Any, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        self.reported, self.draining = {}, {}

    @instead(FakeTargetGroup, "register")
    def register(register: Any, self: Any, targets: list[dict[str, Any]]) -> None:
        register(self, targets)
        for target in targets:
            self.draining.pop(target["Id"], None)
            self.reported.pop(target["Id"], None)

    @instead(FakeTargetGroup, "deregister")
    def deregister(_: Any, self: Any, targets: list[dict[str, Any]]) -> None:
        """moto forgets targets at once, and refuses one that is not there, which AWS does not."""
        for target in targets:
            _drain(self, target["Id"], clock, by_themselves)

    @instead(FakeTargetGroup, "deregister_terminated_instances")
    def terminated(_: Any, self: Any, instances: list[str]) -> None:
        for id in instances:
            _drain(self, id, clock, by_themselves)

    @instead(FakeTargetGroup, "health_for")
    def health(_: Any, self: Any, target: dict[str, Any], __: Any) -> FakeHealthStatus:
        """moto's targets are healthy from the start."""
        id = target["Id"]
        port, known = target.get("Port", self.port), self.targets.get(id) or self.draining.get(id)
        if known is None:
            state = NOT_REGISTERED
        elif id in self.draining:
            state = DRAINING
        elif not _in_use(self):
            state = NOT_IN_USE
        else:
            state = self.reported.get(id, HEALTHY if by_themselves else INITIAL)
        found: Any = FakeHealthStatus(id, known["Port"] if known else port, self.health_check_port, *state)
        found.health_check_port = self.health_check_port if self.health_check_port != "traffic-port" else found.port
        return found

    @instead(ELBv2Backend, "describe_target_health")
    def described(describe: Any, self: Any, arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        """moto does not list targets that drain."""
        found = self.target_groups.get(arn)
        if found is not None:
            _forget(found, clock)
            targets = targets or [*found.targets.values(), *found.draining.values()]
            if not targets:
                return []
        return describe(self, arn, targets)


def listed() -> Sequence[Mapping[str, str]]:
    """Every application load balancer, and the address that is its own."""
    backends: Any = elbv2_backends
    return [
        {"arn": one.arn, "region": region, "address": one.dns_name}
        for _, region, backend in backends.iter_backends()
        for one in backend.load_balancers.values()
        if one.type == "application"
    ]


def report(target_group: str, targets: Sequence[Mapping[str, Any]]) -> None:
    """What the load balancer says of targets. Raises KeyError for a group that does not exist."""
    region = target_group.split(":")[3]
    account = target_group.split(":")[4]
    group: Any = elbv2_backends[account][region].target_groups[target_group]
    for target in targets:
        id, state = target["id"], (target["state"], target.get("reason"), target.get("description"))
        if id in group.targets:
            group.reported[id] = state
        elif id in group.draining and state[0] == "unused":
            del group.draining[id]
    CHANGES.made()


def _drain(group: Any, id: str, clock: Clock, at_once: bool) -> None:
    target = group.targets.pop(id, None)
    group.reported.pop(id, None)
    if target is not None and _in_use(group) and not at_once:
        delay = float(group.attributes["deregistration_delay.timeout_seconds"])
        group.draining[id] = {**target, "until": clock.now() + clock.lasts(delay)}


def _forget(group: Any, clock: Clock) -> None:
    """Targets whose delay is over, even where no load balancer runs."""
    group.draining = {id: target for id, target in group.draining.items() if target["until"] > clock.now()}


def _in_use(group: Any) -> bool:
    """Whether a rule or a listener sends requests to a group."""
    return elbv2_backends[group.account_id][group.region_name]._any_listener_using(group.arn)
