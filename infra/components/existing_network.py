"""A network that was there before the gateway: what of it is used, and what is added to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.planning.resource_tags import STACK_TAG


@dataclass(frozen=True, kw_only=True)
class FoundNetwork:
    """What AWS says of a VPC that the configuration names."""

    stack: str
    """Full name of the stack that has looked, by which its own endpoint is known the next time."""
    vpc_id: str
    subnet_ids: Sequence[str]
    default_security_group: str
    tables_without_endpoint: Sequence[str]
    """Route tables of the subnets from which no endpoint of somebody else leads to DynamoDB."""
    dynamodb_prefix_list: str | None
    """Of an endpoint of somebody else's; `None`: there is none."""


@dataclass(frozen=True, kw_only=True)
class ExistingNetworkArgs:
    """What was found, and where."""

    region: str
    found: FoundNetwork


class ExistingNetwork(pulumi.ComponentResource):
    """Nothing but an endpoint for DynamoDB, and that only in those of the subnets' route tables that have none: a table
    takes one. The subnets must lead to the internet, for replicas get public addresses and fetch images themselves."""

    vpc_id: pulumi.Output[str]
    subnet_ids: pulumi.Output[Sequence[str]]
    default_security_group: pulumi.Output[str]
    dynamodb_prefix_list: pulumi.Output[str]

    def __init__(self, name: str, args: ExistingNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:existing_network:ExistingNetwork", name, None, opts)
        found = args.found
        prefix_list: pulumi.Output[str] | str | None = found.dynamodb_prefix_list
        if found.tables_without_endpoint or prefix_list is None:
            prefix_list = aws.ec2.VpcEndpoint(
                f"{name}-dynamodb",
                vpc_id=found.vpc_id,
                service_name=f"com.amazonaws.{args.region}.dynamodb",
                vpc_endpoint_type="Gateway",
                route_table_ids=list(found.tables_without_endpoint),
                tags={"Name": f"{name}-dynamodb", STACK_TAG: found.stack},
                opts=pulumi.ResourceOptions(parent=self),
            ).prefix_list_id
        self.vpc_id = pulumi.Output.from_input(found.vpc_id)
        self.subnet_ids = pulumi.Output.from_input(list(found.subnet_ids))
        self.default_security_group = pulumi.Output.from_input(found.default_security_group)
        self.dynamodb_prefix_list = pulumi.Output.from_input(prefix_list)
        self.register_outputs({"vpc_id": self.vpc_id, "subnet_ids": self.subnet_ids})


def find_network(
    vpc_id: str, subnet_ids: Sequence[str], *, stack: str, provider: pulumi.ProviderResource
) -> FoundNetwork:
    """Looks at the network that the configuration names. `stack`: full name of this stack, as in its `STACK_TAG`, by
    which an endpoint of its own is not taken for somebody else's.

    Raises:
        RunError: a subnet is not one of the VPC.
    """
    options = pulumi.InvokeOptions(provider=provider)
    _check_subnets(vpc_id, subnet_ids, options)
    tables = sorted({_route_table(vpc_id, subnet, options) for subnet in subnet_ids})
    endpoints = {table: list(_foreign_endpoints(table, stack, options)) for table in tables}
    prefix_lists = sorted(one.prefix_list_id for found in endpoints.values() for one in found)
    return FoundNetwork(
        stack=stack,
        vpc_id=vpc_id,
        subnet_ids=subnet_ids,
        default_security_group=aws.ec2.get_security_group(vpc_id=vpc_id, name="default", opts=options).id,
        tables_without_endpoint=[table for table in tables if not endpoints[table]],
        dynamodb_prefix_list=prefix_lists[0] if prefix_lists else None,
    )


def _check_subnets(vpc_id: str, subnet_ids: Sequence[str], options: pulumi.InvokeOptions) -> None:
    filters = [aws.ec2.GetSubnetsFilterArgs(name="vpc-id", values=[vpc_id])]
    there = aws.ec2.get_subnets(filters=filters, opts=options).ids
    if foreign := [subnet for subnet in subnet_ids if subnet not in there]:
        raise pulumi.RunError(
            f"stack config subnet_ids: {', '.join(foreign)} is none of the subnets of {vpc_id}, which are "
            f"{', '.join(sorted(there)) or 'none'}; name some of those, or set vpc_id to the VPC that they are of"
        )


def _route_table(vpc_id: str, subnet: str, options: pulumi.InvokeOptions) -> str:
    """A subnet's own route table, else the VPC's main one."""
    own = [aws.ec2.GetRouteTablesFilterArgs(name="association.subnet-id", values=[subnet])]
    main = [aws.ec2.GetRouteTablesFilterArgs(name="association.main", values=["true"])]
    return (
        aws.ec2.get_route_tables(vpc_id=vpc_id, filters=own, opts=options).ids
        or aws.ec2.get_route_tables(vpc_id=vpc_id, filters=main, opts=options).ids
    )[0]


def _foreign_endpoints(table: str, stack: str, options: pulumi.InvokeOptions) -> Iterator[aws.ec2.GetVpcEndpointResult]:
    """Endpoints for DynamoDB in a route table, but for those that this stack made."""
    routes = aws.ec2.get_route_table(route_table_id=table, opts=options).routes
    for id in sorted({route.gateway_id for route in routes if (route.gateway_id or "").startswith("vpce-")}):
        endpoint = aws.ec2.get_vpc_endpoint(id=id, opts=options)
        if endpoint.service_name.endswith(".dynamodb") and endpoint.tags.get(STACK_TAG) != stack:
            yield endpoint
