"""In which of the gateway's subnets the replicas of a service run."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.components.connection import Connection
from infra.planning import ServicePlan


def find_subnets(
    plan: ServicePlan, connection: pulumi.Output[Connection], *, provider: pulumi.ProviderResource
) -> pulumi.Output[Sequence[str]]:
    """The gateway's subnets, or those of them that lie in the plan's zones; RunError where none does."""
    everywhere = connection.apply(lambda one: list(one.subnet_ids))
    zones = plan.availability_zones
    if zones is None:
        return everywhere
    filters = everywhere.apply(
        lambda subnets: [
            aws.ec2.GetSubnetsFilterArgs(name="subnet-id", values=subnets),
            aws.ec2.GetSubnetsFilterArgs(name="availability-zone", values=list(zones)),
        ]
    )
    found = aws.ec2.get_subnets_output(filters=filters, opts=pulumi.InvokeOutputOptions(provider=provider))
    return found.ids.apply(lambda ids: _in_zones(ids, zones))


def _in_zones(ids: Sequence[str], zones: Sequence[str]) -> Sequence[str]:
    """The ids in a fixed order: AWS gives them in any."""
    if not ids:
        raise pulumi.RunError(
            f"availability_zones: the gateway has no subnet in {', '.join(zones)}; name zones in which it has, or "
            "leave availability_zones out"
        )
    return sorted(ids)
