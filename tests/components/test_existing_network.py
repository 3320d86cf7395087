"""A gateway in a network that was there before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.components.existing_network import docker_problems
from tests.aws.standin import Cloud, World
from tests.aws.standin.world import ExistingEndpoint, ExistingVpc
from tests.components.deploying import Account

GATEWAY = "type: gateway\nbackend: aws\nregion: us-east-1\n"
WITH_DOMAIN = f"{GATEWAY}domain: example.com\n"
VPC = "vpc-0123456789abcdef0"
SUBNETS = {"subnet-0000000000000000a": "us-east-1a", "subnet-0000000000000000b": "us-east-1b"}
MAIN, OWN = "rtb-00000000000000001", "rtb-00000000000000002"


def existing(**changes: object) -> World:
    """A VPC whose first subnet has a route table of its own; the other is in the main one."""
    given = {
        "id": VPC,
        "region": "us-east-1",
        "subnets": SUBNETS,
        "main_route_table": MAIN,
        "route_tables": {OWN: (next(iter(SUBNETS)),)},
        **changes,
    }
    return World(vpcs=(ExistingVpc(**given),))  # type: ignore[arg-type]


def endpoint(service: str, *route_tables: str) -> ExistingEndpoint:
    return ExistingEndpoint(id=f"vpce-{service.encode().hex():0>17}", service=service, route_tables=route_tables)


def in_existing(account: Account, **config: object) -> dict[str, object]:
    path = account.written("gateway.yml", WITH_DOMAIN)
    return {"configuration": path, "vpc_id": VPC, "subnet_ids": ",".join(SUBNETS), **config}


def test_an_existing_network_gets_an_endpoint_in_the_subnets_own_route_tables_and_nothing_else(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(existing()))
    gateway = account.up("gateway", in_existing(account))
    network = (
        "aws:ec2/vpc:Vpc",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/route:Route",
        "aws:ec2/internetGateway:InternetGateway",
    )
    assert [one.type for one in gateway.resources if one.type in network] == []
    endpoint = gateway.one("aws:ec2/vpcEndpoint:VpcEndpoint").inputs
    assert (endpoint["vpcId"], sorted(endpoint["routeTableIds"])) == (VPC, [MAIN, OWN])
    connection = gateway.exports["connection"]
    assert (connection["vpc_id"], connection["subnet_ids"]) == (VPC, list(SUBNETS))
    assert gateway.one("aws:lambda/function:Function").inputs["vpcConfig"]["subnetIds"] == list(SUBNETS)


def test_an_endpoint_that_is_there_already_is_used(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(existing(endpoints=(endpoint("dynamodb", MAIN, OWN), endpoint("s3", MAIN)))))
    gateway = account.up("gateway", in_existing(account))
    assert gateway.of("aws:ec2/vpcEndpoint:VpcEndpoint") == ()
    to_table = gateway.one("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "gateway-function-to-dynamodb")
    assert str(to_table.inputs["prefixListId"]).startswith("pl-")


def test_an_endpoint_that_some_of_the_route_tables_have_is_added_to_the_others(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(existing(endpoints=(endpoint("dynamodb", MAIN), endpoint("s3", OWN)))))
    gateway = account.up("gateway", in_existing(account))
    assert gateway.one("aws:ec2/vpcEndpoint:VpcEndpoint").inputs["routeTableIds"] == [OWN]
    assert account.up("gateway", in_existing(account)).changes() == {}


def test_the_stack_s_own_endpoint_is_not_taken_for_somebody_else_s(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(existing()))
    account.up("gateway", in_existing(account))
    assert account.up("gateway", in_existing(account)).changes() == {}


def test_where_subnets_stay_the_function_s_group_waits_for_its_network_interfaces(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(existing()))
    gateway = account.up("gateway", in_existing(account))
    assert "replaceSecurityGroupsOnDestroy" not in gateway.one("aws:lambda/function:Function").inputs
    group = gateway.one("aws:ec2/securityGroup:SecurityGroup", "gateway-function")
    assert gateway.one("aws:iam/rolePolicy:RolePolicy", "gateway-function").urn in gateway.waits_for(group)


A, B = SUBNETS


@pytest.mark.parametrize(
    ("world", "says"),
    [
        (existing(subnets={A: "us-east-1a"}), (f"found:  {B}", f"the subnets must be in {VPC}, whose subnets are {A}")),
        (existing(id="vpc-0000000000000000f"), (f"found:  {A}, {B}", "whose subnets are none")),
        (
            existing(subnets=dict.fromkeys(SUBNETS, "us-east-1a")),
            ("these are all in us-east-1a", "name only one of them", "found:  all in us-east-1a", "2 problems"),
        ),
        (existing(internet=False), (f"found:  {A}", f"{OWN} has no route", f"found:  {B}", f"{MAIN} has no route")),
        (existing(dns_support=False), (f"{VPC} without DNS support", "--enable-dns-support")),
        (existing(zone_ids={"us-east-1b": "use1-az3"}), (f"found:  {B}", "us-east-1b (use1-az3)", "another zone")),
        (
            existing(cidr="10.0.0.0/16", blocks={A: "10.0.0.0/20", B: "172.17.0.0/20"}),
            (f"found:  {B} (172.17.0.0/20)", "docker on a replica has the range 172.17.0.0/16", "only subnets outside"),
        ),
        (
            existing(cidr="172.17.0.0/16", blocks={A: "10.0.0.0/20", B: "172.17.0.0/20"}),
            (f"found:  {B} (172.17.0.0/20)", "name only subnets in 172.17.0.0/16, or use a VPC without this range"),
        ),
        (
            existing(cidr="172.17.0.0/16", blocks={A: "10.0.0.0/20", B: "10.0.16.0/20"}),
            (f"found:  {VPC} (172.17.0.0/16), with its DNS", "name only subnets in 172.17.0.0/16"),
        ),
    ],
    ids=[
        "a subnet elsewhere",
        "no such VPC",
        "one zone",
        "no way out",
        "no DNS",
        "a zone without Lambda",
        "some in docker's range",
        "some in docker's range, as the VPC",
        "the VPC's DNS in docker's range",
    ],
)
def test_a_network_that_a_gateway_could_not_work_in_is_refused(
    tmp_path: Path, world: World, says: tuple[str, ...]
) -> None:
    account = Account(tmp_path, Cloud(world))
    attempt = account.attempt("gateway", in_existing(account))
    (error,) = attempt.errors
    assert [part for part in says if part not in error] == []
    assert "stack config" in error
    assert [one.type for one in attempt.resources if one.type.startswith("aws:")] == []


@pytest.mark.parametrize(
    ("block", "subnets"),
    [
        ("172.17.0.0/16", ["172.17.0.0/20", "172.17.16.0/20"]),
        ("10.0.0.0/16", ["172.17.0.0/20", "172.17.16.0/20"]),
        ("10.0.0.0/16", ["10.0.0.0/20", "172.18.0.0/20"]),
        ("172.16.0.0/16", ["172.16.0.0/20"]),
    ],
)
def test_a_network_that_docker_s_range_leaves_alone_is_taken(block: str, subnets: list[str]) -> None:
    assert list(docker_problems(VPC, block, {f"subnet-{index}": its for index, its in enumerate(subnets)})) == []
