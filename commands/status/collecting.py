"""Everything that `make status` shows, at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from commands.aws_access import ClientMaker, explained
from commands.pulumi_cli import Pulumi, PulumiError
from commands.stack_state import StackError, read_stack, stack_names
from commands.status.gateway import GatewayStatus, look_at_gateway
from commands.status.local_runs import LocalRun
from commands.status.service import ServiceStatus, look_at_service
from infra.planning.catalog import PRICES_AS_OF, PRICES_REGION
from infra.preflight.aws_errors import aws_failures


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """A stack, or all stacks, whose status is not known."""

    stack: str | None
    """`None`: pulumi does not list the stacks."""
    why: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """What runs."""

    at: datetime
    services: tuple[ServiceStatus, ...]
    gateways: tuple[GatewayStatus, ...]
    local: tuple[LocalRun, ...]
    not_deployed: tuple[str, ...]
    """Stacks without a resource."""
    unknown: tuple[Unknown, ...]
    prices_region: str = PRICES_REGION
    prices_as_of: str = PRICES_AS_OF


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the command asks."""

    pulumi: Pulumi
    clients: ClientMaker
    local: Callable[[], tuple[LocalRun, ...]]
    now: Callable[[], datetime]


def collect(stack: str | None, means: Means) -> Status:
    """Return the status of a stack; `None`: of all stacks of the project, and of this machine."""
    services: list[ServiceStatus] = []
    gateways: list[GatewayStatus] = []
    empty: list[str] = []
    unknown: list[Unknown] = []
    now = means.now()
    try:
        names = [stack] if stack is not None else stack_names(means.pulumi)
    except PulumiError as error:
        names = []
        unknown.append(Unknown(stack=None, why=str(error)))
    for name in names:
        try:
            state = read_stack(name, means.pulumi)
            if state.is_gateway:
                gateways.append(look_at_gateway(state, means.clients, now))
            elif state.is_service or stack is not None:
                services.append(look_at_service(state, means.clients, now))
            else:
                empty.append(name)
        except (PulumiError, StackError) as error:
            unknown.append(Unknown(stack=name, why=str(error)))
        except aws_failures() as error:
            unknown.append(Unknown(stack=name, why=explained(error)))
    return Status(
        at=now,
        services=tuple(services),
        gateways=tuple(gateways),
        local=means.local() if stack is None else (),
        not_deployed=tuple(empty),
        unknown=tuple(unknown),
    )
