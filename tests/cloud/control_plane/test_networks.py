"""EC2 keeps what moto drops of templates, rules and routes, and keeps a group that is needed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.control_plane.conftest import Running


def test_a_templates_own_tags_are_not_those_of_its_instances(plane: Running) -> None:
    ec2 = plane.client("ec2")
    of_instances = {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}
    made = ec2.create_launch_template(
        LaunchTemplateName="tagged",
        LaunchTemplateData={"TagSpecifications": [of_instances]},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "c", "Value": "d"}]}],
    )["LaunchTemplate"]
    [version] = ec2.describe_launch_template_versions(LaunchTemplateName="tagged")["LaunchTemplateVersions"]
    assert (made["Tags"], version["LaunchTemplateData"]["TagSpecifications"]) == (
        [{"Key": "c", "Value": "d"}],
        [of_instances],
    )
    ec2.delete_launch_template(LaunchTemplateName="tagged")


def test_rules_keep_their_descriptions_and_a_group_that_they_name(plane: Running) -> None:
    ec2 = plane.client("ec2")
    one, two = (ec2.create_security_group(GroupName=name, Description=name)["GroupId"] for name in ("one", "two"))
    port: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    pairs = [{"GroupId": two, "Description": "From two"}]
    rules = ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[{**port, "UserIdGroupPairs": pairs}])
    [found] = ec2.describe_security_group_rules(
        SecurityGroupRuleIds=[rules["SecurityGroupRules"][0]["SecurityGroupRuleId"]]
    )["SecurityGroupRules"]
    assert (found["Description"], found["ReferencedGroupInfo"]["GroupId"]) == ("From two", two)
    with pytest.raises(ec2.exceptions.ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=two)
    ec2.delete_security_group(GroupId=one)
    ec2.delete_security_group(GroupId=two)


def test_route_tables_are_found_by_the_prefix_list_of_a_route(plane: Running) -> None:
    ec2 = plane.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    prefixes = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=1, AddressFamily="IPv4")["PrefixList"]
    id = prefixes["PrefixListId"]
    ec2.create_route(RouteTableId=table, DestinationPrefixListId=id, GatewayId=gateway)
    found = ec2.describe_route_tables(Filters=[{"Name": "route.destination-prefix-list-id", "Values": [id]}])
    assert [one["RouteTableId"] for one in found["RouteTables"]] == [table]
    ec2.delete_route(RouteTableId=table, DestinationPrefixListId=id)
    ec2.delete_route_table(RouteTableId=table)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_managed_prefix_list(PrefixListId=id)
    ec2.delete_vpc(VpcId=vpc)
