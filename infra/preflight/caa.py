"""Whether the CAA records of a gateway's domain let Amazon issue its certificate (RFC 8659)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from infra.planning import GatewayPlan
from infra.preflight.clients import AwsClient, CaaRecords
from infra.preflight.finding import Finding, ok, refusal
from infra.preflight.zone import find_zone, suffixes

TOPIC = "CAA record"
AMAZON = frozenset({"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"})
"""One of these is enough (acm/latest/userguide/setup-caa.html)."""
_VALUE = re.compile(r'\s*\d+\s+(\w+)\s+"?([^"]*)"?\s*')


def check_caa(aws: AwsClient, caa: CaaRecords, plan: GatewayPlan) -> list[Finding]:
    """Return a finding if the domain, or else the nearest domain above it, has CAA records. No finding if the plan does
    not request a certificate. Raises what boto3 raises.

    Route 53 says what the records in the zone are, even if DNS does not see the zone yet. `caa` is asked for the
    domains above it.
    """
    if plan.domain is None or plan.certificate_arn is not None:
        return []
    route53 = aws("route53", plan.region)
    zone = find_zone(route53, plan.domain, plan.zone_id)
    if isinstance(zone, Finding):
        return []
    apex = zone["Name"].rstrip(".").lower()
    for name in suffixes(plan.domain):
        records = _in_zone(route53, zone["Id"], name) if name.endswith(apex) else caa(name)
        if records:
            return [_judged(plan.domain, name, records)]
    return []


def _judged(domain: str, name: str, records: Sequence[tuple[str, str]]) -> Finding:
    """The certificate is for `*.<domain>`: `issuewild` decides if there is one, or else `issue`."""
    deciding = [record for record in records if record[0] == "issuewild"] or [
        record for record in records if record[0] == "issue"
    ]
    allowed = [value.partition(";")[0].strip().lower() for _, value in deciding]
    if not deciding or AMAZON.intersection(allowed):
        return ok(TOPIC, f"{name} lets Amazon issue a certificate for *.{domain}")
    others = ", ".join(filter(None, allowed)) or "nobody"
    return refusal(
        TOPIC,
        f"the CAA records of {name} let only {others} issue certificates for *.{domain}, so ACM cannot issue one: add "
        f'the CAA record 0 {deciding[0][0]} "amazon.com" to {name}, or bring a certificate: '
        "certificate: {type: acm, arn: …}",
    )


def _in_zone(route53: Any, zone: str, name: str) -> list[tuple[str, str]]:
    found: Any = route53.list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=name, StartRecordType="CAA", MaxItems="1"
    )["ResourceRecordSets"]
    values = [
        record["Value"]
        for records in found
        if records["Type"] == "CAA" and records["Name"].rstrip(".").lower() == name
        for record in records.get("ResourceRecords", [])
    ]
    return [(match[1].lower(), match[2]) for value in values if (match := _VALUE.fullmatch(value))]
