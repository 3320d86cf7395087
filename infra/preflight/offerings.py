"""Which of the plan's offers are sold where the service would run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra.planning import ServicePlan
from infra.preflight.aws_errors import aws_failures, collected, error_code, in_words
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "offers"
SHOWN = 6
"""How many instance types a line names together."""
NEIGHBOURS = 6
"""Regions that are asked where this one has none of the offers: each costs a call of about half a second."""


def check_offerings(aws: AwsClient, plan: ServicePlan, region: str, subnet_ids: Sequence[str]) -> list[Finding]:
    """A finding with each offer's zones. Raises what boto3 raises where AWS does not answer.

    `subnet_ids`: the gateway's, in whose zones replicas can run.
    """
    found = _zones(aws("ec2", region), region, subnet_ids)
    if isinstance(found, Finding):
        return [found]
    zones = [zone for zone in found if plan.availability_zones is None or zone in plan.availability_zones]
    if not zones:
        return [
            refusal(
                TOPIC,
                f"the gateway's subnets are in {', '.join(found)}, and availability_zones names none of these: name "
                "one, or leave it out",
            )
        ]
    sold = offered(aws, plan, region)
    here = {kind: [zone for zone in zones if zone in where] for kind, where in sold.items()}
    there = {kind: found for kind, found in here.items() if found}
    missing = [offer.instance_type for offer in plan.offers if offer.instance_type not in there]
    if not there:
        return [refusal(TOPIC, f"none of them is sold in {', '.join(zones)}: {_elsewhere(aws, plan, region, sold)}")]
    first = plan.offers[0].instance_type
    listed = _by_zones(there)
    if not missing:
        return [ok(TOPIC, f"all {len(there)} are sold here: {listed}" if len(there) > 1 else listed)]
    absent = _some(missing)
    message = f"{len(there)} of {len(plan.offers)} are sold here: {listed}; not: {absent}"
    if first in missing:
        return [warning(TOPIC, f"{message}. The cheapest is not, so that the table's first line cannot be had")]
    return [ok(TOPIC, message)]


def offered(aws: AwsClient, plan: ServicePlan, region: str) -> Mapping[str, Sequence[str]]:
    """The zones of a region in which each of the plan's offers is sold, in the plan's order; those that are not are
    left out."""
    kinds = [offer.instance_type for offer in plan.offers]
    found: dict[str, list[str]] = {}
    for offering in collected(
        aws("ec2", region).describe_instance_type_offerings,
        "InstanceTypeOfferings",
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": kinds}],
    ):
        found.setdefault(offering["InstanceType"], []).append(offering["Location"])
    return {kind: sorted(found[kind]) for kind in kinds if kind in found}


def _zones(ec2: Any, region: str, subnet_ids: Sequence[str]) -> list[str] | Finding:
    """The zones of subnets, or a refusal where one is not there."""
    try:
        subnets: Any = ec2.describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]
    except aws_failures() as error:
        if error_code(error) != "InvalidSubnetID.NotFound":
            raise
        return refusal(
            TOPIC,
            f"{region} does not have the gateway's subnets any more ({in_words(error)}): deploy the gateway again",
        )
    return sorted({subnet["AvailabilityZone"] for subnet in subnets})


def _by_zones(there: Mapping[str, Sequence[str]]) -> str:
    """Instance types together that are sold in the same zones, in the order of the cheapest of them."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind, zones in there.items():
        kinds.setdefault(tuple(zones), []).append(kind)
    return "; ".join(f"{_some(group)} in {', '.join(zones)}" for zones, group in kinds.items())


def _some(kinds: Sequence[str]) -> str:
    rest = len(kinds) - SHOWN
    return ", ".join(kinds[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _elsewhere(aws: AwsClient, plan: ServicePlan, region: str, sold: Mapping[str, Sequence[str]]) -> str:
    """Where they are sold: in other zones of the region, else in the region nearest by name."""
    if sold:
        zones = sorted({zone for where in sold.values() for zone in where})
        return (
            f"in {region} they are sold in {', '.join(zones)}: give the gateway a subnet there, or ask for another GPU"
        )
    try:
        neighbours = _neighbours(aws, region)
    except aws_failures():
        neighbours = []
    for near in neighbours:
        try:
            if offered(aws, plan, near):
                return f"{near} has some: deploy a gateway there, or ask for another GPU"
        except aws_failures():
            continue
    return "ask for another GPU, or deploy a gateway in another region"


def _neighbours(aws: AwsClient, region: str) -> list[str]:
    """Enabled regions, those of the same part of the world first."""
    found: Any = aws("ec2", region).describe_regions()["Regions"]
    names = sorted({one["RegionName"] for one in found} - {region})
    part = region.split("-")[0]
    return sorted(names, key=lambda name: name.split("-")[0] != part)[:NEIGHBOURS]
