"""In which of the gateway's subnets the replicas of a service run."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.components.connection import Connection
from infra.planning import ServicePlan


def find_subnets(plan: ServicePlan, connection: Connection, *, provider: pulumi.ProviderResource) -> Sequence[str]:
    """The gateway's subnets, or those of them that lie in the plan's zones, in a fixed order: AWS gives them in any.

    Raises:
        RunError: none does.
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
            f"availability_zones: the gateway has no subnet in {', '.join(zones)}; name zones in which it has, or "
            "leave availability_zones out"
        )
    return sorted(found)
