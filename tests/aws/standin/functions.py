"""What the provider's functions answer (`functions.csv` lists those that are known), from the world and the records."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from commands.property_values import SecretValue
from tests.aws.standin.outputs import digits_of
from tests.aws.standin.problem import refuse
from tests.aws.standin.records import Records
from tests.aws.standin.tables import rows
from tests.aws.standin.world import ExistingVpc, World, zones_of

Answer = Callable[[Records, World, Mapping[str, Any], str], Mapping[str, Any]]


def call(records: Records, world: World, token: str, arguments: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The function's result; refused where it is not known, has no such argument, or finds nothing."""
    if token not in _ANSWERS:
        raise refuse(f"the stand-in for AWS does not know the function {token}; functions.csv lists what it knows")
    if unknown := sorted(arguments.keys() - _arguments(token)):
        raise refuse(f"{token} has no argument {unknown}")
    return {"id": region, **arguments, **_ANSWERS[token](records, world, arguments, region)}


@functools.cache
def _arguments(token: str) -> frozenset[str]:
    """Read off the SDK's function; the engine's names are the same words in camelCase."""
    (dotted,) = [row["sdk"] for row in rows("functions") if row["token"] == token]
    module, _, name = dotted.rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    return frozenset(re.sub(r"_(\w)", lambda found: found[1].upper(), one) for one in parameters if one != "opts")


def _region(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"name": region, "region": region, "description": region, "endpoint": f"ec2.{region}.amazonaws.com"}


def _caller(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"id": world.account, "accountId": world.account, "arn": world.caller, "userId": "AIDAEXAMPLE"}


def _partition(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _zones(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    names = [name for name in zones_of(region) if name not in given.get("excludeNames", ())]
    return {"names": names, "zoneIds": [f"{name}-az" for name in names], "groupNames": [region]}


def _hosted_zone(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    wanted, id = str(given.get("name", "")).rstrip(".").lower(), given.get("zoneId")
    found = [(name, one) for name, one in world.zones.items() if one == id or (id is None and name == wanted)]
    if not found or given.get("privateZone"):
        raise refuse("no matching Route 53 Hosted Zone found")
    name, id = found[0]
    servers = [f"ns-{number}.awsdns-0{number}.{top}" for number, top in enumerate(("org", "com", "net", "co.uk"), 1)]
    return {
        "id": id,
        "zoneId": id,
        "name": name,
        "arn": f"arn:aws:route53:::hostedzone/{id}",
        "nameServers": servers,
        "primaryNameServer": servers[0],
        "privateZone": False,
    }


def _hosted_zones(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"ids": list(world.zones.values())}


def _parameter(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    name = str(given["name"])
    own = records.find("aws:ssm/parameter:Parameter", "name", name, region)
    value = own.outputs["value"] if own else world.parameters.get(name)
    if value is None:
        raise refuse(f"reading SSM Parameter ({name}): ParameterNotFound")
    arn = own.outputs["arn"] if own else f"arn:aws:ssm:{region}::parameter{name}"
    kind = own.outputs["type"] if own else "String"
    return {"id": name, "arn": arn, "type": kind, "value": SecretValue(value), "version": 1}


def _vpcs(records: Records, world: World, region: str) -> Iterator[ExistingVpc]:
    """Those that were there, and those that were made."""
    yield from (vpc for vpc in world.vpcs if vpc.region == region)
    for vpc in records.of("aws:ec2/vpc:Vpc", region):
        subnets = {
            one.id: str(one.outputs.get("availabilityZone"))
            for one in records.of("aws:ec2/subnet:Subnet", region)
            if one.outputs["vpcId"] == vpc.id
        }
        yield ExistingVpc(id=vpc.id, region=region, cidr=vpc.outputs.get("cidrBlock", ""), subnets=subnets)


def _vpc(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    found = [vpc for vpc in _vpcs(records, world, region) if vpc.id == given.get("id")]
    if not found:
        raise refuse("no matching EC2 VPC found")
    vpc = found[0]
    return {
        "id": vpc.id,
        "arn": f"arn:aws:ec2:{region}:{world.account}:vpc/{vpc.id}",
        "cidrBlock": vpc.cidr,
        "default": False,
        "enableDnsHostnames": True,
        "enableDnsSupport": True,
        "mainRouteTableId": vpc.route_tables[0] if vpc.route_tables else f"rtb-{digits_of(vpc.id)[:17]}",
        "ownerId": world.account,
        "state": "available",
    }


def _filtered(given: Mapping[str, Any], name: str) -> list[str]:
    """The values that a filter of this name lets through; none: all."""
    own = {"vpc-id": "vpcId", "subnet-id": "subnetId", "association.subnet-id": "subnetId"}.get(name, name)
    direct = [given[own]] if own in given else []
    return direct + [value for one in given.get("filters", ()) if one["name"] == name for value in one["values"]]


def _subnets(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    wanted = _filtered(given, "vpc-id")
    vpcs = [vpc for vpc in _vpcs(records, world, region) if not wanted or vpc.id in wanted]
    return {"ids": [subnet for vpc in vpcs for subnet in vpc.subnets]}


def _subnet(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    for vpc in _vpcs(records, world, region):
        if given.get("id") in vpc.subnets:
            zone = vpc.subnets[given["id"]]
            arn = f"arn:aws:ec2:{region}:{world.account}:subnet/{given['id']}"
            return {"arn": arn, "vpcId": vpc.id, "availabilityZone": zone, "mapPublicIpOnLaunch": vpc.public}
    raise refuse("no matching EC2 Subnet found")


def _route_tables(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    wanted = _filtered(given, "vpc-id")
    return {"ids": [one for vpc in world.vpcs if not wanted or vpc.id in wanted for one in vpc.route_tables]}


def _route_table(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    for vpc in world.vpcs:
        named = given.get("routeTableId") in vpc.route_tables
        if vpc.route_tables and (
            named or given.get("subnetId") in vpc.subnets or _filtered(given, "vpc-id") == [vpc.id]
        ):
            id = given.get("routeTableId", vpc.route_tables[0])
            way_out = [{"cidrBlock": "0.0.0.0/0", "gatewayId": f"igw-{digits_of(vpc.id)[:17]}"}] if vpc.public else []
            return {"id": id, "routeTableId": id, "vpcId": vpc.id, "routes": way_out}
    raise refuse("no matching EC2 Route Table found")


def _vpc_endpoint(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    for vpc in world.vpcs:
        if (
            vpc.id == given.get("vpcId")
            and vpc.dynamodb_endpoint
            and str(given.get("serviceName")).endswith(".dynamodb")
        ):
            return {"id": vpc.dynamodb_endpoint, "routeTableIds": list(vpc.route_tables), "state": "available"}
    raise refuse("no matching EC2 VPC Endpoint found")


def _security_group(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    vpcs = [vpc for vpc in _vpcs(records, world, region) if vpc.id == given.get("vpcId")]
    if given.get("name") != "default" or not vpcs:
        raise refuse("no matching EC2 Security Group found")
    return {"id": f"sg-{digits_of(vpcs[0].id)[:17]}", "name": "default", "vpcId": vpcs[0].id}


def _offerings(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    types = [value for one in given.get("filters", ()) if one["name"] == "instance-type" for value in one["values"]]
    pairs = [(one, zone) for one in types for zone in zones_of(region)]
    return {"instanceTypes": [one for one, _ in pairs], "locations": [zone for _, zone in pairs]}


def _instance_type(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"id": given["instanceType"], "instanceType": given["instanceType"]}


_ANSWERS: Mapping[str, Answer] = {
    "aws:ec2/getInstanceType:getInstanceType": _instance_type,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": _offerings,
    "aws:ec2/getRouteTable:getRouteTable": _route_table,
    "aws:ec2/getRouteTables:getRouteTables": _route_tables,
    "aws:ec2/getSecurityGroup:getSecurityGroup": _security_group,
    "aws:ec2/getSubnet:getSubnet": _subnet,
    "aws:ec2/getSubnets:getSubnets": _subnets,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ec2/getVpcEndpoint:getVpcEndpoint": _vpc_endpoint,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:route53/getZone:getZone": _hosted_zone,
    "aws:route53/getZones:getZones": _hosted_zones,
    "aws:ssm/getParameter:getParameter": _parameter,
}
