"""Addresses, routes, security group rules, endpoints."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import given, value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules

_DESTINATIONS = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
_TARGETS = [
    "carrierGatewayId",
    "coreNetworkArn",
    "egressOnlyGatewayId",
    "gatewayId",
    "localGatewayId",
    "natGatewayId",
    "networkInterfaceId",
    "odbNetworkArn",
    "transitGatewayId",
    "vpcEndpointId",
    "vpcPeeringConnectionId",
]
_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _block_is_a_network(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """vpc/latest/userguide/vpc-cidr-blocks.html: /16 to /28, and the network's own address."""
    if (block := value_at(inputs, "cidrBlock")) is None:
        return
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as error:
        yield Problem("cidrBlock", f'"{block}" is not a valid IPv4 CIDR block: {error}')
        return
    if not 16 <= network.prefixlen <= 28:
        yield Problem("cidrBlock", f"InvalidVpc.Range: The CIDR '{block}' is invalid: /16 to /28 are allowed")


def _block_is_there(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    if not given(inputs, "cidrBlock") and not given(inputs, "ipv4IpamPoolId"):
        yield Problem("cidrBlock", "MissingParameter: one of cidrBlock and ipv4IpamPoolId must be specified")
    if inputs.get("enableDnsHostnames") is True and inputs.get("enableDnsSupport") is False:
        yield Problem("enableDnsHostnames", "InvalidParameterValue: DNS host names need DNS support")


def _route_leads_somewhere(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf ec2/vpc_route.go: exactly one destination and one target."""
    for names, what in ((_DESTINATIONS, "destination"), (_TARGETS, "target")):
        there = [name for name in names if given(inputs, name)]
        if len(there) != 1:
            yield Problem(there[0] if there else names[0], f"exactly one route {what} must be specified, got {there}")
    yield from _network(inputs, "destinationCidrBlock")


def _association_has_one_side(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf ec2/vpc_route_table_association.go: exactly one of subnet and gateway."""
    if given(inputs, "subnetId") == given(inputs, "gatewayId"):
        yield Problem("subnetId", "one of `gateway_id,subnet_id` must be specified")


def _rule_has_one_source(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf ec2/vpc_security_group_ingress_rule.go: exactly one source; a network's own address."""
    there = [name for name in _SOURCES if given(inputs, name)]
    if len(there) != 1:
        yield Problem(
            there[0] if there else "cidrIpv4", f"exactly one of {list(_SOURCES)} must be specified, got {there}"
        )
    yield from _network(inputs, "cidrIpv4")


def _ports_fit_the_protocol(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """ec2 API: IpPermission. tcp and udp take both ports in order; -1 is every protocol and takes none."""
    protocol = str(value_at(inputs, "ipProtocol") or "")
    lowest, highest = value_at(inputs, "fromPort"), value_at(inputs, "toPort")
    if protocol.lower() in ("tcp", "udp", "6", "17"):
        for name in ("fromPort", "toPort"):
            if not given(inputs, name):
                yield Problem(name, f"MissingParameter: a rule for {protocol} needs a port range")
        if lowest is not None and highest is not None and lowest > highest:
            yield Problem("toPort", f"InvalidParameterValue: Invalid port range {lowest} to {highest}")
    elif protocol == "-1":
        if (lowest, highest) not in ((None, None), (-1, -1)):
            yield Problem("fromPort", 'InvalidParameterValue: with ipProtocol "-1" no ports can be given')
    elif protocol and not (protocol.isdigit() and int(protocol) < 256) and protocol not in ("icmp", "icmpv6"):
        yield Problem(
            "ipProtocol", f"InvalidParameterValue: Invalid value '{protocol}' for IP protocol. Unknown protocol."
        )


def _endpoint_has_its_parts(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """vpc/latest/privatelink/gateway-endpoints.html: they exist for S3 and DynamoDB and take route tables."""
    kind = inputs.get("vpcEndpointType", "Gateway")
    service = value_at(inputs, "serviceName") or ""
    if kind == "Gateway":
        if service and service.rpartition(".")[2] not in ("dynamodb", "s3"):
            yield Problem("serviceName", f"InvalidParameter: {service!r} has no gateway endpoint; S3 and DynamoDB do")
        for name in ("subnetIds", "securityGroupIds", "privateDnsEnabled"):
            if given(inputs, name):
                yield Problem(name, f"InvalidParameter: a gateway endpoint takes no {name}")
    elif given(inputs, "routeTableIds"):
        yield Problem("routeTableIds", f"InvalidParameter: an endpoint of type {kind} takes no route tables")
    try:
        json.loads(value_at(inputs, "policy") or "{}")
    except ValueError as error:
        yield Problem("policy", f'"policy" contains an invalid JSON: {error}')
    if not any(given(inputs, name) for name in ("serviceName", "resourceConfigurationArn", "serviceNetworkArn")):
        yield Problem(
            "serviceName", "one of resourceConfigurationArn, serviceName, serviceNetworkArn must be specified"
        )


def _network(inputs: Mapping[str, Any], name: str) -> Iterator[Problem]:
    if (block := value_at(inputs, name)) is None:
        return
    try:
        ipaddress.IPv4Network(block)
    except ValueError as error:
        yield Problem(name, f'"{block}" is not a valid CIDR block: {error}')
        return
    if "/" not in block:
        yield Problem(name, f'"{block}" is not a valid CIDR block: it has no prefix length')


RULES: Rules = {
    "aws:ec2/vpc:Vpc": (_block_is_there, _block_is_a_network),
    "aws:ec2/subnet:Subnet": (_block_is_a_network,),
    "aws:ec2/route:Route": (_route_leads_somewhere,),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": (_association_has_one_side,),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (_endpoint_has_its_parts,),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (_rule_has_one_source, _ports_fit_the_protocol),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (_rule_has_one_source, _ports_fit_the_protocol),
}
