"""The runs of a gateway and their replicas: from the stacks of the project that share its table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from commands.aws_access import ClientMaker, explained
from commands.gateway_keys import gateway_table
from commands.lifetimes import Lifetime, ended_since, living
from commands.pulumi_cli import Pulumi, PulumiError
from commands.spending import instance_type
from commands.stack_state import DeployedGroup, StackError, StackState, groups_of, read_stack, service_of, stack_names
from commands.usage.costs import Runs
from infra.preflight.aws_errors import aws_failures
from infra.readiness import clients_from
from infra.readiness.looking import GroupGone, Looker


@dataclass(frozen=True, kw_only=True)
class GatewayRuns:
    """The runs of a gateway whose costs are known."""

    replicas: Runs
    problems: tuple[str, ...]
    """Sentences about what is not counted, and why."""


def find_runs(gateway: StackState, pulumi: Pulumi, clients: ClientMaker, begin: datetime) -> GatewayRuns:
    """Return the runs and their replicas since `begin`. Raises `PulumiError`: it does not list stacks; `StackError`:
    the gateway is not deployed yet."""
    here = gateway_table(gateway)
    replicas: dict[str, tuple[Lifetime, ...]] = {}
    problems: list[str] = []
    for name in stack_names(pulumi):
        if name == gateway.name:
            continue
        try:
            state = read_stack(name, pulumi)
            if not state.is_service:
                continue
            service = service_of(state)
            if (service.table, service.region) == here:
                replicas[service.run] = _replicas(state, clients, begin)
        except (PulumiError, StackError) as error:
            problems.append(f"{name}: its costs are not counted: {error}")
        except aws_failures() as error:
            problems.append(f"{name}: its costs are not counted: {explained(error)}")
    for run, found in replicas.items():
        for one in found:
            if instance_type(one.type) is None:
                type = one.type or "of its instance"
                problems.append(f"{run}: {one.instance} is not counted: the catalog has no price of the type {type}")
    return GatewayRuns(replicas=replicas, problems=tuple(problems))


def _replicas(state: StackState, clients: ClientMaker, begin: datetime) -> tuple[Lifetime, ...]:
    return tuple(one for group in groups_of(state) for one in _of_group(group, state, clients, begin))


def _of_group(
    deployed: DeployedGroup, state: StackState, clients: ClientMaker, begin: datetime
) -> tuple[Lifetime, ...]:
    service = deployed.awaited
    client = clients(service.region, state.profile)
    asked = clients_from(client)
    try:
        group = Looker(service, asked).group()
    except GroupGone:
        raise StackError(
            f"the Auto Scaling group {service.group} does not exist in {service.region}: run pulumi up --refresh"
        ) from None
    ended = ended_since(
        begin,
        asked.autoscaling,
        client("logs"),
        group=service.group,
        log_group=service.log_group,
        bought=deployed.bought,
    )
    return (*ended, *living(asked.ec2, group.replicas))
