"""The stand-in's tables against the SDK and botocore as they are installed: a new version shows what moved."""

from __future__ import annotations

import re

import pytest

from tests.aws.standin import models, sdk
from tests.aws.standin.tables import by_type, rows, types

NOT_ANSWERED = {
    "aws:acm/certificate:Certificate": "notAfter notBefore pendingRenewal renewalSummaries validationEmails",
    "aws:apigateway/account:Account": "features throttleSettings",
    "aws:apigateway/domainName:DomainName": "certificateUploadDate cloudfrontDomainName cloudfrontZoneId",
    "aws:dynamodb/tableItem:TableItem": "hashKeyValue rangeKeyValue",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "namePrefix",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "cidrBlocks dnsEntries networkInterfaceIds requesterManaged",
    "aws:lambda/function:Function": "sourceCodeSize",
    "aws:lb/loadBalancer:LoadBalancer": "vpcId",
    "aws:s3/bucket:Bucket": "hostedZoneId websiteDomain websiteEndpoint",
    "aws:ssm/parameter:Parameter": "hasValueWo",
}
"""Outputs that the stand-in leaves out: nothing here reads them."""

ANSWERED_IN_CODE = {
    "aws:acm/certificate:Certificate": "domainValidationOptions",
    "aws:dynamodb/tableItem:TableItem": "id",
    "aws:lb/targetGroup:TargetGroup": "loadBalancerArns",
    "random:index/randomBytes:RandomBytes": "base64 hex",
}


@pytest.mark.parametrize("type", types())
def test_every_computed_output_is_answered_or_left_out_on_purpose(type: str) -> None:
    known = {row["property"] for row in by_type("outputs").get(type, ())}
    known |= {name for table in (NOT_ANSWERED, ANSWERED_IN_CODE) for name in table.get(type, "").split()}
    assert sdk.output_names(type) - known == frozenset()
    assert "id" in known


@pytest.mark.parametrize("table", ["calls", "limits", "outputs", "provider", "references", "replacing", "unique"])
def test_every_row_is_of_a_known_type_and_property(table: str) -> None:
    unknown: list[str] = []
    for row in rows(table):
        assert None not in (*row, *row.values()), f"{table}: {row} has too many cells, or too few"
        names = set(sdk.input_types(sdk.arguments_class(row["type"]))) | {"id"} | sdk.output_names(row["type"])
        paths = row.get("property", "").split() or row["properties"].split()
        unknown += [f"{row['type']} {path}" for path in paths if re.split(r"[.\[{]", path)[0] not in names]
    assert unknown == []


def test_every_mapped_member_is_in_the_model_and_says_something() -> None:
    silent = [
        f"{row['type']} {row['property']}"
        for row in rows("calls")
        if not {"enum", "max", "min", "pattern"} & models.member(row["call"], row["member"]).metadata.keys()
    ]
    assert silent == []


def test_every_pattern_of_the_model_is_read() -> None:
    """One that Python cannot read would let everything pass."""
    unread = [
        f"{row['type']} {row['property']}: {pattern}"
        for row in rows("calls")
        if (pattern := models.member(row["call"], row["member"]).metadata.get("pattern")) not in (None, ".*")
        and models.compiled(pattern).pattern == ".*"
    ]
    assert unread == []
