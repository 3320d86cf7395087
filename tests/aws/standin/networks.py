"""What the provider's functions say of networks: those that were there, those that were made, and both together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.aws.standin.outputs import digits_of
from tests.aws.standin.problem import refuse
from tests.aws.standin.records import Record, Records
from tests.aws.standin.world import ExistingVpc, World, default_group

ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
_FILTERS = (
    "association.main",
    "association.subnet-id",
    "availability-zone",
    "route.destination-prefix-list-id",
    "subnet-id",
    "vpc-id",
)


@dataclass(frozen=True)
class _Endpoint:
    id: str
    vpc: str
    service: str
    route_tables: tuple[str, ...]
    tags: Mapping[str, str]


def vpc(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    found = next((one for one in _vpcs(records, world, region) if one.id == given.get("id")), None)
    if found is None:
        raise refuse("no matching EC2 VPC found")
    return {
        "id": found.id,
        "arn": f"arn:aws:ec2:{region}:{world.account}:vpc/{found.id}",
        "cidrBlock": found.cidr,
        "default": False,
        "enableDnsHostnames": True,
        "enableDnsSupport": found.dns_support,
        "mainRouteTableId": found.main_route_table,
        "ownerId": world.account,
        "state": "available",
    }


def subnets(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    of_vpc, named = _filtered(given, "vpc-id"), _filtered(given, "subnet-id")
    zones = _filtered(given, "availability-zone")
    return {
        "ids": [
            subnet
            for one in _vpcs(records, world, region)
            for subnet, zone in one.subnets.items()
            if (of_vpc is None or one.id in of_vpc)
            and (named is None or subnet in named)
            and (zones is None or zone in zones)
        ]
    }


def subnet(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    for one in _vpcs(records, world, region):
        if given.get("id") in one.subnets:
            arn = f"arn:aws:ec2:{region}:{world.account}:subnet/{given['id']}"
            zone = one.subnets[given["id"]]
            return {
                "arn": arn,
                "vpcId": one.id,
                "cidrBlock": one.blocks.get(str(given["id"]), one.cidr),
                "availabilityZone": zone,
                "availabilityZoneId": one.zone_ids.get(zone, ""),
                "mapPublicIpOnLaunch": one.internet,
            }
    raise refuse("no matching EC2 Subnet found")


def route_tables(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    return {"ids": [table for table, _ in _tables(records, world, given, region)]}


def route_table(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    found = list(_tables(records, world, given, region))
    if len(found) != 1:
        raise refuse(f"{'multiple' if found else 'no'} EC2 Route Tables matched; use additional constraints")
    table, of = found[0]
    # Routes of endpoints are left out, as the provider does (ec2/vpc_route_table_data_source.go).
    routes = [{"cidrBlock": "0.0.0.0/0", "gatewayId": f"igw-{digits_of(of.id)[:17]}"}] if of.internet else []
    return {"id": table, "routeTableId": table, "vpcId": of.id, "routes": routes}


def vpc_endpoint(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    for endpoint in _endpoints(records, world, region):
        service = f"com.amazonaws.{region}.{endpoint.service}"
        if "id" in given and given["id"] != endpoint.id:
            continue
        if given.get("vpcId", endpoint.vpc) != endpoint.vpc or given.get("serviceName", service) != service:
            continue
        if given.get("tags", {}).items() - endpoint.tags.items():
            continue
        return {
            "id": endpoint.id,
            "vpcId": endpoint.vpc,
            "serviceName": service,
            "prefixListId": _prefix_list(endpoint.service),
            "routeTableIds": list(endpoint.route_tables),
            "tags": dict(endpoint.tags),
            "state": "available",
        }
    raise refuse("no matching EC2 VPC Endpoint found")


def prefix_list(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    for service in ("dynamodb", "s3"):
        if given.get("name") == f"com.amazonaws.{region}.{service}":
            return {"id": _prefix_list(service), "cidrBlocks": ["203.0.113.0/24"]}
    raise refuse("no matching EC2 Prefix List found")


def security_group(records: Records, world: World, given: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    id, name, of = given.get("id"), given.get("name"), given.get("vpcId")
    for group in records.of("aws:ec2/securityGroup:SecurityGroup", region):
        if id == group.id or (name, of) == (group.outputs["name"], group.outputs.get("vpcId")):
            return {"id": group.id, "name": group.outputs["name"], "vpcId": group.outputs.get("vpcId")}
    for one in world.vpcs:
        if id == default_group(one.id) or (name, of) == ("default", one.id):
            return {"id": default_group(one.id), "name": "default", "vpcId": one.id}
    raise refuse("no matching EC2 Security Group found")


def _vpcs(records: Records, world: World, region: str) -> Iterator[ExistingVpc]:
    yield from (one for one in world.vpcs if one.region == region)
    for made in records.of("aws:ec2/vpc:Vpc", region):
        zones = {
            one.id: str(one.outputs.get("availabilityZone"))
            for one in _in_vpc(records, "aws:ec2/subnet:Subnet", made.id)
        }
        tables = {one.id: () for one in _in_vpc(records, "aws:ec2/routeTable:RouteTable", made.id)}
        yield ExistingVpc(
            id=made.id,
            region=region,
            cidr=made.outputs.get("cidrBlock", ""),
            subnets=zones,
            main_route_table=made.outputs["mainRouteTableId"],
            route_tables=tables,
        )


def _in_vpc(records: Records, type: str, vpc: str) -> Iterator[Record]:
    yield from (one for one in records.of(type) if one.outputs.get("vpcId") == vpc)


def _tables(records: Records, world: World, given: Mapping[str, Any], region: str) -> Iterator[tuple[str, ExistingVpc]]:
    """Route tables that the arguments let through, each with its VPC."""
    wanted, of_vpc = given.get("routeTableId"), _filtered(given, "vpc-id")
    of_subnet, main = _filtered(given, "association.subnet-id"), _filtered(given, "association.main")
    led_to = _filtered(given, "route.destination-prefix-list-id")
    leading = {
        table
        for one in _endpoints(records, world, region)
        if _prefix_list(one.service) in (led_to or ())
        for table in one.route_tables
    }
    for one in _vpcs(records, world, region):
        if of_vpc is not None and one.id not in of_vpc:
            continue
        for table in dict.fromkeys((one.main_route_table, *one.route_tables)):
            in_it = set(one.route_tables.get(table, ()))
            if wanted not in (None, table) or (of_subnet is not None and not in_it & set(of_subnet)):
                continue
            if led_to is not None and table not in leading:
                continue
            if main is None or ("true" in main) == (table == one.main_route_table):
                yield table, one


def _endpoints(records: Records, world: World, region: str) -> Iterator[_Endpoint]:
    for one in world.vpcs:
        for there in one.endpoints:
            yield _Endpoint(there.id, one.id, there.service, there.route_tables, there.tags)
    for made in records.of(ENDPOINT, region):
        service = str(made.outputs["serviceName"]).rpartition(".")[2]
        tables = tuple(made.outputs.get("routeTableIds", ()))
        yield _Endpoint(made.id, made.outputs["vpcId"], service, tables, made.outputs.get("tags", {}))


def _prefix_list(service: str) -> str:
    return f"pl-{digits_of(service)[:8]}"


def _filtered(given: Mapping[str, Any], name: str) -> list[str] | None:
    """What a filter of this name lets through; `None`: there is no such filter."""
    if unknown := [one["name"] for one in given.get("filters", ()) if one["name"] not in _FILTERS]:
        raise refuse(f"the stand-in for AWS does not know the filter {unknown[0]}")
    own = {"vpc-id": "vpcId", "association.subnet-id": "subnetId"}.get(name, name)
    found = [list(one["values"]) for one in given.get("filters", ()) if one["name"] == name]
    if own in given:
        found.append([given[own]])
    return found[0] if found else None
