"""CAA records, which can forbid ACM to issue the certificate of a gateway's domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from infra.preflight import run_preflight
from infra.preflight.caa import TOPIC
from tests.preflight.canned import CannedAws
from tests.preflight.plans import clients, gateway_plan
from tests.preflight.test_gateway import GOOD

Records = Mapping[str, Sequence[str]]
AMAZON = "gpu.example.com lets Amazon issue a certificate for *.gpu.example.com"


def asked(in_zone: Records, above: Mapping[str, Any] | None = None, **said: Any) -> list[tuple[str, str]]:
    """Level and message of what is said about the records by name: those in the zone, and those that DNS has."""

    def listed(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = asked["query"]["name"]
        records = [{"Value": value} for value in in_zone.get(name, ())]
        sets = [{"Name": f"{name}.", "Type": "CAA", "TTL": 300, "ResourceRecords": records}] if records else []
        other = [{"Name": "x.example.com.", "Type": "CAA", "TTL": 300, "ResourceRecords": [{"Value": '0 issue ";"'}]}]
        return {"ResourceRecordSets": sets or other, "IsTruncated": False, "MaxItems": "1"}

    dns: list[str] = []

    def caa(domain: str) -> Any:
        dns.append(domain)
        return (above or {}).get(domain)

    aws = CannedAws({**GOOD, "route53.ListResourceRecordSets": listed, **said.pop("answers", {})})
    findings = run_preflight(gateway_plan(**said), clients(aws, caa=caa))
    assert all(domain in (above or {}) for domain in dns), "DNS is asked only for what is above the zone"
    return [(finding.level, finding.message) for finding in findings if finding.topic == TOPIC]


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"gpu.example.com": ['0 iodef "mailto:a@example.com"']},
        {"gpu.example.com": ['0 issue "letsencrypt.org"', '0 issue "amazon.com"']},
        {"gpu.example.com": ['0 issue "amazonaws.com; policy=x"']},
        {"gpu.example.com": ['0 issue ";"', '0 issuewild "amazontrust.com"']},
        {"gpu.example.com": ['0 issue "Amazon.com"'], "example.com": ['0 issue ";"']},
    ],
    ids=["none", "only a contact", "Amazon among others", "with parameters", "for wildcards", "nearest counts"],
)
def test_amazon_may_issue(records: Records) -> None:
    assert asked(records) == ([("ok", AMAZON)] if records else [])


@pytest.mark.parametrize(
    ("records", "where", "who", "tag"),
    [
        ({"gpu.example.com": ['0 issue "letsencrypt.org"']}, "gpu.example.com", "letsencrypt.org", "issue"),
        ({"example.com": ['0 issue "letsencrypt.org"']}, "example.com", "letsencrypt.org", "issue"),
        ({"example.com": ['128 issue ";"']}, "example.com", "nobody", "issue"),
        ({"example.com": ['0 issue "amazon.com"', '0 issuewild ";"']}, "example.com", "nobody", "issuewild"),
    ],
)
def test_a_record_that_forbids_acm_is_refused_with_the_record_to_add(
    records: Records, where: str, who: str, tag: str
) -> None:
    assert asked(records) == [
        (
            "refusal",
            f"the CAA records of {where} let only {who} issue certificates for *.gpu.example.com, so ACM cannot issue "
            f'one: add the CAA record 0 {tag} "amazon.com" to {where}, or bring a certificate: certificate: '
            "{type: acm, arn: …}",
        )
    ]


def test_a_record_above_the_zone_counts_too() -> None:
    zone = {"Id": "/hostedzone/Z0123456789", "Name": "gpu.example.com.", "CallerReference": "1"}
    answers = {
        "route53.ListHostedZones": {"HostedZones": [zone], "Marker": "", "IsTruncated": False, "MaxItems": "100"},
    }
    [(level, message)] = asked({}, {"example.com": [("issue", "letsencrypt.org")]}, answers=answers)
    assert level == "refusal"
    assert message.startswith("the CAA records of example.com let only letsencrypt.org issue")
    assert asked({}, {"example.com": None}, answers=answers) == []


def test_a_gateway_with_its_own_certificate_asks_nothing() -> None:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/0"
    assert asked({"gpu.example.com": ['0 issue "letsencrypt.org"']}, certificate=arn) == []
