"""A network that existed before the gateway: what the gateway uses of it, and what it adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra.components.network import FEWEST_ZONES, ZONES_WITHOUT_LAMBDA, dynamodb_service
from infra.configuration import ConfigurationError, Problem
from infra.planning.resource_tags import STACK_TAG

ANYWHERE = "0.0.0.0/0"
DOCKER_RANGE = "172.17.0.0/16"
"""The first range that docker takes for its containers (moby: libnetwork/ipamutils)."""


@dataclass(frozen=True, kw_only=True)
class FoundNetwork:
    """What AWS says about a VPC that the configuration names."""

    stack: str
    """Full name of the stack that has looked, by which its own endpoint is known the next time."""
    vpc_id: str
    subnet_ids: Sequence[str]
    tables_without_endpoint: Sequence[str]
    """Route tables of the subnets from which no endpoint of somebody else leads to DynamoDB."""
    dynamodb_prefix_list: str


@dataclass(frozen=True, kw_only=True)
class ExistingNetworkArgs:
    """What was found, and where."""

    region: str
    found: FoundNetwork


class ExistingNetwork(pulumi.ComponentResource):
    """It adds only an endpoint for DynamoDB, in the route tables of the subnets that do not have one yet. A route table
    can have only one. The subnets must lead to the internet, because replicas have public addresses and fetch images
    themselves."""

    vpc_id: pulumi.Output[str]
    subnet_ids: pulumi.Output[Sequence[str]]
    dynamodb_prefix_list: pulumi.Output[str]

    def __init__(self, name: str, args: ExistingNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:existing_network:ExistingNetwork", name, None, opts)
        found = args.found
        prefix_list = pulumi.Output.from_input(found.dynamodb_prefix_list)
        if found.tables_without_endpoint:
            endpoint = aws.ec2.VpcEndpoint(
                f"{name}-dynamodb",
                vpc_id=found.vpc_id,
                service_name=dynamodb_service(args.region),
                vpc_endpoint_type="Gateway",
                route_table_ids=list(found.tables_without_endpoint),
                tags={"Name": f"{name}-dynamodb", STACK_TAG: found.stack},
                opts=pulumi.ResourceOptions(parent=self),
            )
            prefix_list = endpoint.prefix_list_id
        self.vpc_id = pulumi.Output.from_input(found.vpc_id)
        self.subnet_ids = pulumi.Output.from_input(list(found.subnet_ids))
        self.dynamodb_prefix_list = prefix_list
        self.register_outputs({"vpc_id": self.vpc_id, "subnet_ids": self.subnet_ids})


def find_network(
    vpc_id: str, subnet_ids: Sequence[str], *, region: str, stack: str, provider: pulumi.ProviderResource
) -> FoundNetwork:
    """Return what AWS says about the network that the configuration names. `stack`: full name of this stack, as in its
    `STACK_TAG`, by which it finds its own endpoint.

    Raises:
        RunError: something that a gateway needs is missing. It lists all that is missing.
    """
    options = pulumi.InvokeOptions(provider=provider)
    filters = [aws.ec2.GetSubnetsFilterArgs(name="vpc-id", values=[vpc_id])]
    there = aws.ec2.get_subnets(filters=filters, opts=options).ids
    if foreign := [subnet for subnet in subnet_ids if subnet not in there]:
        rule = f"the subnets must be in {vpc_id}, whose subnets are {', '.join(sorted(there)) or 'none'}"
        remedy = "name subnets of this VPC, or set vpc_id to the VPC of these subnets"
        raise _refusal([Problem(where="subnet_ids", found=", ".join(foreign), rule=rule, remedy=remedy)])
    tables = {subnet: _route_table(vpc_id, subnet, options) for subnet in subnet_ids}
    vpc = aws.ec2.get_vpc(id=vpc_id, opts=options)
    subnets = {subnet: aws.ec2.get_subnet(id=subnet, opts=options) for subnet in subnet_ids}
    blocks = {subnet: found.cidr_block for subnet, found in subnets.items()}
    problems = [
        *_vpc_problems(vpc),
        *docker_problems(vpc_id, vpc.cidr_block, blocks),
        *_zone_problems(subnets),
        *_route_problems(tables, options),
    ]
    if problems:
        raise _refusal(problems)
    service = dynamodb_service(region)
    prefix_list = aws.ec2.get_prefix_list(name=service, opts=options).id
    led = _tables_with_route(vpc_id, prefix_list, options) - _own_endpoint(vpc_id, service, stack, options)
    return FoundNetwork(
        stack=stack,
        vpc_id=vpc_id,
        subnet_ids=subnet_ids,
        tables_without_endpoint=sorted(set(tables.values()) - led),
        dynamodb_prefix_list=prefix_list,
    )


def _refusal(problems: Sequence[Problem]) -> pulumi.RunError:
    return pulumi.RunError(str(ConfigurationError("stack config", problems)))


def _route_table(vpc_id: str, subnet: str, options: pulumi.InvokeOptions) -> str:
    """Return the route table of a subnet: its own one, or else the main one of the VPC."""
    own = [aws.ec2.GetRouteTablesFilterArgs(name="association.subnet-id", values=[subnet])]
    main = [aws.ec2.GetRouteTablesFilterArgs(name="association.main", values=["true"])]
    return (
        aws.ec2.get_route_tables(vpc_id=vpc_id, filters=own, opts=options).ids
        or aws.ec2.get_route_tables(vpc_id=vpc_id, filters=main, opts=options).ids
    )[0]


def _vpc_problems(vpc: aws.ec2.GetVpcResult) -> Iterator[Problem]:
    if not vpc.enable_dns_support:
        rule = "the function and the replicas look up addresses with the VPC's own DNS"
        remedy = f"run aws ec2 modify-vpc-attribute --vpc-id {vpc.id} --enable-dns-support"
        yield Problem(where="vpc_id", found=f"{vpc.id} without DNS support", rule=rule, remedy=remedy)


def docker_problems(vpc_id: str, block: str, subnets: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem if replicas would send answers for addresses of the VPC to docker's own network.

    docker takes `DOCKER_RANGE`, unless the machine's own subnet overlaps it: then it takes another range (moby:
    libnetwork, `allocatePredefinedPool`). So a subnet in that range is fine if all are, and if none is, only the VPC's
    DNS, which has an address of its first block, must be outside. `block`: that block. `subnets`: block by subnet.
    """
    inside = [subnet for subnet, its in subnets.items() if _overlaps_docker(its)]
    if len(inside) == len(subnets) or not (inside or _overlaps_docker(block)):
        return
    rule = (
        f"docker on a replica has the range {DOCKER_RANGE} unless the replica's own subnet is in it, so the replica "
        "does not reach these addresses of the VPC"
    )
    found = ", ".join(f"{subnet} ({subnets[subnet]})" for subnet in inside) or f"{vpc_id} ({block}), with its DNS"
    remedy = f"name only subnets in {DOCKER_RANGE}, or use a VPC without this range"
    if inside and not _overlaps_docker(block):
        remedy = f"name only subnets outside {DOCKER_RANGE}, or only subnets in it"
    yield Problem(where="subnet_ids", found=found, rule=rule, remedy=remedy)


def _overlaps_docker(block: str) -> bool:
    """Whether a range overlaps docker's range. A subnet can be without a range of IPv4."""
    return block != "" and IPv4Network(block).overlaps(IPv4Network(DOCKER_RANGE))


def _zone_problems(subnets: Mapping[str, aws.ec2.GetSubnetResult]) -> Iterator[Problem]:
    """Yield problems with zones. A load balancer takes one subnet in each zone, in two zones or more. Lambda is not in
    every zone."""
    by_zone: dict[str, list[str]] = {}
    for id, subnet in subnets.items():
        by_zone.setdefault(subnet.availability_zone, []).append(id)
    for zone, ids in by_zone.items():
        if len(ids) > 1:
            rule = f"a load balancer takes one subnet in each zone, and these are all in {zone}"
            yield Problem(where="subnet_ids", found=", ".join(ids), rule=rule, remedy="name only one of them")
    if len(by_zone) < FEWEST_ZONES:
        rule = f"a load balancer needs subnets in {FEWEST_ZONES} zones"
        remedy = "add a subnet in another zone"
        yield Problem(where="subnet_ids", found=f"all in {', '.join(by_zone)}", rule=rule, remedy=remedy)
    for id, subnet in subnets.items():
        if subnet.availability_zone_id in ZONES_WITHOUT_LAMBDA:
            zone = f"{subnet.availability_zone} ({subnet.availability_zone_id})"
            rule = f"the subnet is in the zone {zone}, where Lambda functions cannot run"
            yield Problem(where="subnet_ids", found=id, rule=rule, remedy="name a subnet in another zone")


def _route_problems(tables: Mapping[str, str], options: pulumi.InvokeOptions) -> Iterator[Problem]:
    for table in sorted(set(tables.values())):
        routes = aws.ec2.get_route_table(route_table_id=table, opts=options).routes
        if any(route.cidr_block == ANYWHERE for route in routes):
            continue
        cut_off = ", ".join(subnet for subnet, its in tables.items() if its == table)
        rule = f"replicas fetch images and weights from the internet, but {table} has no route to {ANYWHERE}"
        remedy = "name public subnets, or add the route"
        yield Problem(where="subnet_ids", found=cut_off, rule=rule, remedy=remedy)


def _tables_with_route(vpc_id: str, prefix_list: str, options: pulumi.InvokeOptions) -> set[str]:
    """Return the route tables in which an endpoint leads to DynamoDB. A filter finds them, because the provider does
    not show the routes of endpoints (terraform-provider-aws: vpc_route_table_data_source.go)."""
    led = [aws.ec2.GetRouteTablesFilterArgs(name="route.destination-prefix-list-id", values=[prefix_list])]
    return set(aws.ec2.get_route_tables(vpc_id=vpc_id, filters=led, opts=options).ids)


def _own_endpoint(vpc_id: str, service: str, stack: str, options: pulumi.InvokeOptions) -> set[str]:
    """Return the route tables of the endpoint that this stack made; empty: it made none."""
    try:
        own = aws.ec2.get_vpc_endpoint(vpc_id=vpc_id, service_name=service, tags={STACK_TAG: stack}, opts=options)
    except Exception as error:  # an invoke raises nothing narrower
        if "no matching" not in str(error):
            raise
        return set()
    return set(own.route_table_ids)
