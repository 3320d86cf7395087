"""What AWS asks of one resource against the others: that what it names is there, that nothing like it is, who holds it.

`references.csv` and `unique.csv` are the tables; what does not fit one is in `together`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Record, Records
from tests.aws.standin.tables import by_type, rows
from tests.aws.standin.world import World

INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"
GROUP = "aws:autoscaling/group:Group"
SUBNET = "aws:ec2/subnet:Subnet"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"


def missing(records: Records, world: World, type: str, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """What `inputs` names and is not there."""
    there = world.existing() | _made_with_others(records)
    for row in by_type("references").get(type, ()):
        for where, value in values_at(inputs, row["property"]):
            if value in there or not row["missing"] or not isinstance(value, str):
                continue
            if not any(records.find(row["of"], by, value, region) for by in row["by"].split("|")):
                yield Problem(where, row["missing"].format(value=value))


def doubled(records: Records, type: str, inputs: Mapping[str, Any], region: str, *, but: str = "") -> Iterator[Problem]:
    """What is there already and may be there only once. `but`: the id of the resource itself, when it is changed."""
    if type == "aws:route53/record:Record" and inputs.get("allowOverwrite"):
        return
    if type == "aws:ssm/parameter:Parameter" and inputs.get("overwrite"):
        return
    for row in by_type("unique").get(type, ()):
        names = row["properties"].split()
        mine = [inputs.get(name) for name in names]
        if all(one is None for one in mine):
            continue
        for record in records.of(type, region):
            if record.id != but and [record.outputs.get(name) for name in names] == mine:
                yield Problem("", row["message"].format_map({name: inputs.get(name) for name in names}))


def held(records: Records, record: Record) -> Iterator[Problem]:
    """Why AWS would not let `record` go now."""
    for row in rows("references"):
        if row["of"] != record.type or not row["held"]:
            continue
        wanted = [record.id if by == "id" else record.outputs.get(by) for by in row["by"].split("|")]
        for other in records.of(row["type"]):
            if any(value in wanted for _, value in values_at(other.inputs, row["property"])):
                yield Problem("", f"{row['held'].format(value=wanted[0])} (held by {other.urn})")
    yield from _held_otherwise(records, record)


def _made_with_others(records: Records) -> frozenset[str]:
    """Ids of what AWS makes along with a resource, such as a VPC's default security group."""
    names = ("defaultSecurityGroupId", "defaultRouteTableId", "mainRouteTableId", "rootResourceId")
    return frozenset(str(record.outputs[name]) for record in records.all for name in names if record.outputs.get(name))


def _held_otherwise(records: Records, record: Record) -> Iterator[Problem]:
    if record.outputs.get("enableDeletionProtection") or record.outputs.get("deletionProtectionEnabled"):
        yield Problem(
            "", f"OperationNotPermitted: {record.id} cannot be deleted because deletion protection is enabled"
        )
    if record.type == "aws:ec2/securityGroup:SecurityGroup":
        for group in records.of(GROUP):
            if record.id in _groups_of_instances(records, group):
                reason = f"DependencyViolation: resource {record.id} has a dependent object"
                yield Problem("", f"{reason} (held by the instances of {group.urn})")
    if record.type == INTERNET_GATEWAY:
        vpc = record.outputs.get("vpcId")
        subnets = {one.id for one in records.of(SUBNET) if one.outputs.get("vpcId") == vpc}
        for group in records.of(GROUP):
            if subnets & set(group.outputs.get("vpcZoneIdentifiers", ())):
                reason = f"DependencyViolation: Network {vpc} has some mapped public address(es)"
                yield Problem("", f"{reason} (held by the instances of {group.urn})")


def _groups_of_instances(records: Records, group: Record) -> set[str]:
    """Security groups of the instances of an Auto Scaling group."""
    paths = ("mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.launchTemplateId", "launchTemplate.id")
    ids = [value for path in paths for _, value in values_at(group.outputs, path)]
    templates = [template for template in records.of(TEMPLATE) if template.id in ids]
    return {
        value
        for template in templates
        for path in ("vpcSecurityGroupIds[]", "networkInterfaces[].securityGroups[]")
        for _, value in values_at(template.outputs, path)
    }
