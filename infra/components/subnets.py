"""In which of the gateway's subnets the replicas of a service run."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.components.connection import Connection
from infra.planning import ServicePlan


def find_subnets(plan: ServicePlan, connection: Connection, *, provider: pulumi.ProviderResource) -> Sequence[str]:
    """Return the gateway's subnets, or those in the plan's zones, in a fixed order, because AWS's order changes.

    Raises:
        RunError: no subnet of the gateway is in the plan's zones.
    """
    zones = plan.availability_zones
    if zones is None:
        return list(connection.subnet_ids)
    filters = [
        aws.ec2.GetSubnetsFilterArgs(name="subnet-id", values=list(connection.subnet_ids)),
        aws.ec2.GetSubnetsFilterArgs(name="availability-zone", values=list(zones)),
    ]
    found = aws.ec2.get_subnets(filters=filters, opts=pulumi.InvokeOptions(provider=provider)).ids
    if not found:
        raise pulumi.RunError(
            f"availability_zones: the gateway has no subnet in {', '.join(zones)}; name zones in which it has one, or "
            "remove availability_zones"
        )
    return sorted(found)
