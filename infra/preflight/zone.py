"""The hosted zone of a gateway's domain: whether it exists, and whether the domain's name servers point to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.planning import GatewayPlan
from infra.preflight.aws_errors import aws_failures, collected, error_code
from infra.preflight.clients import AwsClient, NameServers, SeenServers
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "hosted zone"
DELEGATION = "delegation"
_SPLIT = "if only this machine's network sees other name servers, skip preflight: pulumi config set preflight false"
"""For networks whose name servers answer differently for the domain than public DNS."""


def check_zone(aws: AwsClient, name_servers: NameServers, plan: GatewayPlan) -> list[Finding]:
    """Return findings about the zone. No finding if the plan has no domain. Raises what boto3 raises."""
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
    if seen and not isinstance(seen, str) and not set(_plain(seen)) & set(servers):
        servers = _own_servers(route53, id, name) or servers
    delegated = _delegated(plan, name, id, servers, seen)
    away = _led_away(plan, domain, name, servers, name_servers)
    return [ok(TOPIC, f"{name} ({id}) holds {domain}"), delegated, *away]


def suffixes(domain: str) -> list[str]:
    """Return the domain and its parent domains, the longest first, without the top-level domain."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def find_zone(route53: Any, domain: str, zone_id: str | None) -> dict[str, Any] | Finding:
    """Return the public zone that holds the domain, as Route 53 lists it, or a refusal. Raises what boto3 raises."""
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
                TOPIC,
                f"this account has {len(zones)} public hosted zones for {suffix} ({ids}): set zone_id to the one that "
                "the domain's name servers point to",
            )
        if zones:
            return zones[0]
    return refusal(
        TOPIC,
        f"this account has no public hosted zone that holds {domain} (looked for {', '.join(looked_for)}): create one "
        "in Route 53 and point the domain's name servers to it, or set zone_id",
    )


def _given(route53: Any, domain: str, zone_id: str) -> dict[str, Any] | Finding:
    try:
        zone: dict[str, Any] = route53.get_hosted_zone(Id=zone_id)["HostedZone"]
    except aws_failures() as error:
        if error_code(error) not in ("NoSuchHostedZone", "InvalidInput"):
            raise
        return refusal(TOPIC, f"this account has no hosted zone {zone_id}: correct zone_id, or remove it")
    if zone.get("Config", {}).get("PrivateZone"):
        return refusal(TOPIC, f"{zone_id} is a private zone, which clients cannot see: set zone_id to a public one")
    if _name(zone) not in suffixes(domain):
        return refusal(
            TOPIC,
            f"{zone_id} is the zone of {_name(zone)}, which does not hold {domain}: set zone_id to the zone that does, "
            "or remove zone_id",
        )
    return zone


def _delegated(plan: GatewayPlan, name: str, id: str, servers: Sequence[str], seen: SeenServers) -> Finding:
    """Compares what DNS says with what the zone says."""
    remedy = f"set the name servers of {name} at its registrar, or in the zone above it, to {', '.join(servers)}"
    if seen is None:
        return warning(DELEGATION, f"not checked: DNS does not answer. If not done yet, {remedy}")
    if seen == "elsewhere":
        return ok(DELEGATION, "not asked: AWS_ENDPOINT_URL names an AWS whose zones are in no public DNS")
    if isinstance(seen, str):
        return warning(
            DELEGATION,
            f"no server answers for {name} (SERVFAIL). Most often its name servers are those of a deleted zone: "
            f"{remedy}",
        )
    shown = _plain(seen)
    if set(shown) == set(servers):
        return ok(DELEGATION, f"the name servers of {name} point to the zone {id}")
    there = f"the name servers of {name} are {', '.join(shown)}"
    if set(shown) & set(servers):
        return warning(DELEGATION, f"{there}, but only some of them are those of the zone {id}: {remedy}")
    there = f"{there}, not those of the zone {id}" if shown else f"{name} has no name servers"
    if plan.certificate_arn is not None:
        return warning(DELEGATION, f"{there}, so clients cannot find it: {remedy}")
    return refusal(DELEGATION, f"{there}, so no certificate can be validated: {remedy}; {_SPLIT}")


def _own_servers(route53: Any, id: str, name: str) -> list[str]:
    """The name servers in the zone's own NS record: its owner can have given them other names. Empty: not known."""
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
    """Whether a delegation inside the zone points away from it, so that DNS does not see the gateway's records."""
    for inside in suffixes(domain)[: domain.count(".") - name.count(".")]:
        seen = name_servers(inside)
        shown = [] if seen is None or isinstance(seen, str) else _plain(seen)
        if shown and not set(shown) & set(servers):
            remedy = f"set zone_id to the zone of {inside}, or remove its NS records from {name}"
            message = f"the name servers of {inside} are {', '.join(shown)}, not those of the zone {name}: {remedy}"
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
