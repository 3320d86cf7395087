"""The network of a gateway without an existing one: a VPC with a public subnet in each Availability Zone."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

VPC_BLOCK = "10.0.0.0/16"
SUBNET_BITS = 4
"""A /20 a zone: 4,091 addresses, of which a replica takes one and the load balancer a few."""
FEWEST_ZONES, MOST_ZONES = 2, 6
"""A load balancer takes at least two. GPU instances run out by zone, so as many as most regions have."""
ZONES_WITHOUT_LAMBDA = ("use1-az3", "usw1-az2", "cac1-az3", "apne1-az3")
"""Zone ids in which old hardware runs neither functions in a VPC nor the newer services."""
DELETION = "45m"
"""The network interfaces of a function outlive it by up to 35 minutes, and hold subnet and security group so long."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The parts of a network."""

    region: str
    zones: Sequence[str]
    """Names of its Availability Zones, each of which gets a subnet."""
    after: pulumi.Resource
    """What is there before a subnet is, and still when its last network interface goes."""


class Network(pulumi.ComponentResource):
    """A VPC whose subnets are public, because NAT gateways cost more than the addresses of replicas, which pull images
    and weights themselves. DynamoDB is reached without the internet, through an endpoint that costs nothing: the
    function has no public address."""

    vpc_id: pulumi.Output[str]
    subnet_ids: pulumi.Output[Sequence[str]]
    default_security_group: pulumi.Output[str]
    dynamodb_prefix_list: pulumi.Output[str]
    """What security groups call DynamoDB's addresses."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:network:Network", name, None, opts)
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=VPC_BLOCK,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self),
        )
        # A new VPC has a default security group that allows all traffic out. This removes its rules.
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags={"Name": f"{name}-default"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        internet = aws.ec2.InternetGateway(
            f"{name}-internet", vpc_id=vpc.id, tags={"Name": name}, opts=pulumi.ResourceOptions(parent=self)
        )
        routes = aws.ec2.RouteTable(
            f"{name}-routes", vpc_id=vpc.id, tags={"Name": name}, opts=pulumi.ResourceOptions(parent=self)
        )
        way_out = aws.ec2.Route(
            f"{name}-way-out",
            route_table_id=routes.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=internet.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        subnets: list[aws.ec2.Subnet] = []
        routed = [way_out.id]
        for zone, block in subnet_blocks(args.zones).items():
            letter = zone.removeprefix(args.region)
            subnet = aws.ec2.Subnet(
                f"{name}-public-{letter}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=block,
                tags={"Name": f"{name}-public-{letter}"},
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[args.after], custom_timeouts=pulumi.CustomTimeouts(delete=DELETION)
                ),
            )
            association = aws.ec2.RouteTableAssociation(
                f"{name}-public-{letter}",
                route_table_id=routes.id,
                subnet_id=subnet.id,
                opts=pulumi.ResourceOptions(parent=self),
            )
            subnets.append(subnet)
            routed.append(association.id)
        endpoint = aws.ec2.VpcEndpoint(
            f"{name}-dynamodb",
            vpc_id=vpc.id,
            service_name=dynamodb_service(args.region),
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            tags={"Name": f"{name}-dynamodb"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.vpc_id = vpc.id
        # What uses the subnets waits until their routes exist.
        ids = pulumi.Output.all(*(subnet.id for subnet in subnets))
        self.subnet_ids = pulumi.Output.all(ids, *routed).apply(lambda known: list(known[0]))
        self.default_security_group = vpc.default_security_group_id
        self.dynamodb_prefix_list = endpoint.prefix_list_id
        self.register_outputs({"vpc_id": self.vpc_id, "subnet_ids": self.subnet_ids})


def dynamodb_service(region: str) -> str:
    """Return AWS's name of DynamoDB in endpoints and prefix lists."""
    return f"com.amazonaws.{region}.dynamodb"


def available_zones(provider: pulumi.ProviderResource) -> Sequence[str]:
    """Return the names of the zones for a new network: those of the region, without local zones."""
    found = aws.get_availability_zones(
        state="available",
        exclude_zone_ids=list(ZONES_WITHOUT_LAMBDA),
        filters=[aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])],
        opts=pulumi.InvokeOptions(provider=provider),
    )
    zones = sorted(found.names)[:MOST_ZONES]
    if len(zones) < FEWEST_ZONES:
        raise pulumi.RunError(
            f"Availability Zones: found {', '.join(zones) or 'none'}; a load balancer needs {FEWEST_ZONES}. "
            "Use another region, or set vpc_id and subnet_ids to an existing network."
        )
    return zones


def subnet_blocks(zones: Sequence[str]) -> Mapping[str, str]:
    """Return a range of addresses for each zone. It depends only on the zone's letter, so another zone changes no
    range."""
    blocks = list(ipaddress.IPv4Network(VPC_BLOCK).subnets(prefixlen_diff=SUBNET_BITS))
    return {zone: str(blocks[(ord(zone[-1]) - ord("a")) % len(blocks)]) for zone in zones}
