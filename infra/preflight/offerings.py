"""Which of the plan's offers AWS sells where the service would run."""

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
"""Regions to ask if this one has none of the offers. Each costs a call of about half a second."""


def check_offerings(aws: AwsClient, plan: ServicePlan, region: str, subnet_ids: Sequence[str]) -> list[Finding]:
    """Return a finding with the zones of each offer. Raises what boto3 raises when AWS does not answer.

    `subnet_ids`: subnets of the gateway. Replicas can run in their zones.
    """
    found = _zones(aws("ec2", region), region, subnet_ids)
    if isinstance(found, Finding):
        return [found]
    zones = [zone for zone in found if plan.availability_zones is None or zone in plan.availability_zones]
    if not zones:
        return [
            refusal(
                TOPIC,
                f"availability_zones names no zone of the gateway's subnets, which are in {', '.join(found)}: name one "
                "of these, or remove availability_zones",
            )
        ]
    sold = offered(aws, plan, region)
    here = {kind: [zone for zone in zones if zone in where] for kind, where in sold.items()}
    there = {kind: found for kind, found in here.items() if found}
    missing = [offer.instance_type for offer in plan.offers if offer.instance_type not in there]
    if not there:
        where = f"AWS sells none of the offers in {', '.join(zones)}"
        return [refusal(TOPIC, f"{where}: {_elsewhere(aws, plan, region, sold)}")]
    first = plan.offers[0].instance_type
    listed = _by_zones(there)
    if not missing:
        return [ok(TOPIC, f"AWS sells all {len(there)} here: {listed}" if len(there) > 1 else listed)]
    absent = _some(missing)
    message = f"AWS sells {len(there)} of {len(plan.offers)} here: {listed}; not {absent}"
    if first in missing:
        return [warning(TOPIC, f"{message}. The cheapest offer, the first line of the table, is not available")]
    return [ok(TOPIC, message)]


def offered(aws: AwsClient, plan: ServicePlan, region: str) -> Mapping[str, Sequence[str]]:
    """Return the zones of a region in which AWS sells each of the plan's offers, in the plan's order. Offers that
    it does not sell there are missing."""
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
    """The zones of subnets, or a refusal if one does not exist."""
    try:
        subnets: Any = ec2.describe_subnets(SubnetIds=list(subnet_ids))["Subnets"]
    except aws_failures() as error:
        if error_code(error) != "InvalidSubnetID.NotFound":
            raise
        return refusal(
            TOPIC,
            f"the gateway's subnets do not exist any more in {region} ({in_words(error)}): deploy the gateway again",
        )
    return sorted({subnet["AvailabilityZone"] for subnet in subnets})


def _by_zones(there: Mapping[str, Sequence[str]]) -> str:
    """Instance types grouped by the zones that have them, in the order of the cheapest of each group."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind, zones in there.items():
        kinds.setdefault(tuple(zones), []).append(kind)
    return "; ".join(f"{_some(group)} in {', '.join(zones)}" for zones, group in kinds.items())


def _some(kinds: Sequence[str]) -> str:
    rest = len(kinds) - SHOWN
    return ", ".join(kinds[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _elsewhere(aws: AwsClient, plan: ServicePlan, region: str, sold: Mapping[str, Sequence[str]]) -> str:
    """Where AWS sells them: in other zones of the region, else in the region with the nearest name."""
    if sold:
        zones = sorted({zone for where in sold.values() for zone in where})
        return f"{region} has some in {', '.join(zones)}: give the gateway a subnet there, or ask for another GPU"
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
