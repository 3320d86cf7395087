"""What the provider's functions answer (`functions.csv` lists those that are known), from the world and the records."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from commands.property_values import SecretValue
from tests.aws.standin import networks
from tests.aws.standin.outputs import digits_of
from tests.aws.standin.problem import refuse
from tests.aws.standin.records import Records
from tests.aws.standin.tables import rows
from tests.aws.standin.world import World, zones_of

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
    zones = {name: f"{digits_of(region)[:4]}-az{number}" for number, name in enumerate(zones_of(region), 1)}
    gone = {*given.get("excludeNames", ()), *given.get("excludeZoneIds", ())}
    left = {name: id for name, id in zones.items() if not gone & {name, id}}
    return {"names": list(left), "zoneIds": list(left.values()), "groupNames": [region]}


def _hosted_zone(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    wanted, id = str(given.get("name", "")).rstrip(".").lower(), given.get("zoneId")
    private = bool(given.get("privateZone"))
    there = [*((name, one, False) for name, one in world.zones.items()), *world.other_zones]
    found = [one for one in there if (one[1] == id if id is not None else (one[0], one[2]) == (wanted, private))]
    if len(found) != 1:
        raise refuse(
            "multiple Route 53 Hosted Zones matched; use additional constraints to reduce matches to a single Route 53 "
            "Hosted Zone"
            if found
            else "no matching Route 53 Hosted Zone found"
        )
    name, id, private = found[0]
    servers = [f"ns-{number}.awsdns-0{number}.{top}" for number, top in enumerate(("org", "com", "net", "co.uk"), 1)]
    return {
        "id": id,
        "zoneId": id,
        "name": name,
        "arn": f"arn:aws:route53:::hostedzone/{id}",
        "nameServers": servers,
        "primaryNameServer": servers[0],
        "privateZone": private,
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


def _image(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    wanted = [value for one in given.get("filters", ()) if one["name"] == "image-id" for value in one["values"]]
    found = next((one for one in world.images if one.id in wanted), None)
    if found is None or (found.deprecated and not given.get("includeDeprecated")):
        raise refuse("Your query returned no results. Please change your search criteria and try again.")
    volume = {"volume_size": str(found.volume_size), "volume_type": "gp3", "delete_on_termination": "true"}
    return {
        "id": found.id,
        "imageId": found.id,
        "architecture": found.architecture,
        "rootDeviceName": found.root_device,
        "rootDeviceType": "ebs",
        "virtualizationType": "hvm",
        "blockDeviceMappings": [
            {"deviceName": found.root_device, "ebs": volume, "noDevice": "", "virtualName": ""},
            {"deviceName": "/dev/sdb", "ebs": {}, "noDevice": "", "virtualName": "ephemeral0"},
        ],
    }


def _offerings(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    types = [value for one in given.get("filters", ()) if one["name"] == "instance-type" for value in one["values"]]
    pairs = [(one, zone) for one in types for zone in zones_of(region)]
    return {"instanceTypes": [one for one, _ in pairs], "locations": [zone for _, zone in pairs]}


def _instance_type(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"id": given["instanceType"], "instanceType": given["instanceType"]}


_ANSWERS: Mapping[str, Answer] = {
    "aws:ec2/getAmi:getAmi": _image,
    "aws:ec2/getInstanceType:getInstanceType": _instance_type,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": _offerings,
    "aws:ec2/getPrefixList:getPrefixList": networks.prefix_list,
    "aws:ec2/getRouteTable:getRouteTable": networks.route_table,
    "aws:ec2/getRouteTables:getRouteTables": networks.route_tables,
    "aws:ec2/getSecurityGroup:getSecurityGroup": networks.security_group,
    "aws:ec2/getSubnet:getSubnet": networks.subnet,
    "aws:ec2/getSubnets:getSubnets": networks.subnets,
    "aws:ec2/getVpc:getVpc": networks.vpc,
    "aws:ec2/getVpcEndpoint:getVpcEndpoint": networks.vpc_endpoint,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:route53/getZone:getZone": _hosted_zone,
    "aws:route53/getZones:getZones": _hosted_zones,
    "aws:ssm/getParameter:getParameter": _parameter,
}
