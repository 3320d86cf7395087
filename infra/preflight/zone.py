"""The hosted zone of a gateway's domain: whether it is there, and whether the world is led to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from infra.planning import GatewayPlan
from infra.preflight.aws_errors import aws_failures, collected, error_code
from infra.preflight.clients import AwsClient, NameServers
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "hosted zone"
DELEGATION = "delegation"
_SPLIT = "if only this machine's network sees it so, skip preflight"
"""For networks whose own name servers answer for the domain otherwise than the world's."""


def check_zone(aws: AwsClient, name_servers: NameServers, plan: GatewayPlan) -> list[Finding]:
    """Findings about the zone; none where the plan has no domain. Raises what boto3 raises."""
    domain = plan.domain
    if domain is None:
        return []
    route53 = aws("route53", plan.region)
    found = find_zone(route53, domain, plan.zone_id)
    if isinstance(found, Finding):
        return [found]
    zone = route53.get_hosted_zone(Id=found["Id"])
    id, name = _id(zone["HostedZone"]), _name(zone["HostedZone"])
    servers = _plain(zone.get("DelegationSet", {}).get("NameServers", []))
    seen = name_servers(name)
    if seen and seen != "failed" and not set(_plain(seen)) & set(servers):
        servers = _own_servers(route53, id, name) or servers
    delegated = _delegated(plan, name, id, servers, seen)
    away = _led_away(plan, domain, name, servers, name_servers)
    return [ok(TOPIC, f"{name} ({id}) holds {domain}"), delegated, *away]


def suffixes(domain: str) -> list[str]:
    """The domain and what it lies in, the longest first, without the top-level domain."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def find_zone(route53: Any, domain: str, zone_id: str | None) -> dict[str, Any] | Finding:
    """The public zone that holds the domain, as Route 53 lists it, or why there is none. Raises what boto3 raises."""
    looked_for = suffixes(domain)
    if zone_id is not None:
        return _given(route53, domain, zone_id)
    public = [
        zone
        for zone in collected(route53.list_hosted_zones, "HostedZones", token="NextMarker", resume="Marker")  # noqa: S106
        if not zone.get("Config", {}).get("PrivateZone")
    ]
    for suffix in looked_for:
        zones: list[dict[str, Any]] = [zone for zone in public if _name(zone) == suffix]
        if len(zones) > 1:
            ids = ", ".join(sorted(map(_id, zones)))
            return refusal(
                TOPIC, f"there are {len(zones)} public zones of {suffix} ({ids}): set zone_id to one of them"
            )
        if zones:
            return zones[0]
    return refusal(
        TOPIC,
        f"no public hosted zone of this account holds {domain} (looked for {', '.join(looked_for)}): make one in Route "
        "53 and delegate the domain to it, or set zone_id",
    )


def _given(route53: Any, domain: str, zone_id: str) -> dict[str, Any] | Finding:
    try:
        zone: dict[str, Any] = route53.get_hosted_zone(Id=zone_id)["HostedZone"]
    except aws_failures() as error:
        if error_code(error) not in ("NoSuchHostedZone", "InvalidInput"):
            raise
        return refusal(TOPIC, f"there is no hosted zone {zone_id} in this account: correct zone_id, or remove it")
    if zone.get("Config", {}).get("PrivateZone"):
        return refusal(TOPIC, f"{zone_id} is a private zone, which the world does not see: set zone_id to a public one")
    if _name(zone) not in suffixes(domain):
        return refusal(
            TOPIC,
            f"{zone_id} is the zone of {_name(zone)}, which does not hold {domain}: set zone_id to the one that does, "
            "or remove it",
        )
    return zone


def _delegated(
    plan: GatewayPlan, name: str, id: str, servers: Sequence[str], seen: Sequence[str] | Literal["failed"] | None
) -> Finding:
    """What the world sees, against what the zone says."""
    remedy = f"set the name servers of {name} at its registrar, or in the zone above it, to {', '.join(servers)}"
    if seen is None:
        return warning(DELEGATION, f"the domain name system could not be asked, so it is not checked: {remedy}")
    if seen == "failed":
        return warning(
            DELEGATION,
            f"nobody answers the world for {name} (SERVFAIL), most often because it is led to the servers of a zone "
            f"that was deleted since: {remedy}",
        )
    shown = _plain(seen)
    if set(shown) == set(servers):
        return ok(DELEGATION, f"{name} leads to the zone {id}")
    if set(shown) & set(servers):
        return warning(DELEGATION, f"{name} is led to {', '.join(shown)}, which are not those of the zone: {remedy}")
    there = f"is led to {', '.join(shown)}" if shown else "is led nowhere"
    if plan.certificate_arn is not None:
        return warning(DELEGATION, f"{name} {there}, and not to the zone {id}, so that nobody finds it: {remedy}")
    return refusal(
        DELEGATION,
        f"{name} {there}, and not to the zone {id}, so that no certificate could be validated: {remedy}; {_SPLIT}",
    )


def _own_servers(route53: Any, id: str, name: str) -> list[str]:
    """What the zone says of itself: servers under names of its owner's, where it was given those. Empty: not known."""
    try:
        found: Any = route53.list_resource_record_sets(
            HostedZoneId=id, StartRecordName=name, StartRecordType="NS", MaxItems="1"
        )["ResourceRecordSets"]
    except aws_failures():
        return []
    return [
        server
        for records in found
        if records["Type"] == "NS" and _name(records) == name
        for server in _plain([record["Value"] for record in records.get("ResourceRecords", [])])
    ]


def _led_away(
    plan: GatewayPlan, domain: str, name: str, servers: Sequence[str], name_servers: NameServers
) -> list[Finding]:
    """Whether a delegation inside the zone leads the domain out of it, so that what is written into it is not seen."""
    for inside in suffixes(domain)[: domain.count(".") - name.count(".")]:
        seen = name_servers(inside)
        shown = [] if seen is None or seen == "failed" else _plain(seen)
        if shown and not set(shown) & set(servers):
            remedy = f"set zone_id to the zone of {inside}, or remove its NS records from {name}"
            message = f"{inside} is led to {', '.join(shown)}, which is out of the zone {name}: {remedy}"
            if plan.certificate_arn is not None:
                return [warning(DELEGATION, message)]
            return [refusal(DELEGATION, f"{message}; {_SPLIT}")]
    return []


def _plain(servers: Sequence[str]) -> list[str]:
    return sorted(server.lower().rstrip(".") for server in servers)


def _name(zone: dict[str, Any]) -> str:
    return zone["Name"].rstrip(".").lower()


def _id(zone: dict[str, Any]) -> str:
    return zone["Id"].rpartition("/")[2]
