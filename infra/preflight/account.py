"""Who deploys, and into which region."""

from __future__ import annotations

import difflib
from functools import cache
from typing import Any

from infra.preflight.aws_errors import aws_failures, error_code, in_words, is_expired, kind_of
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "credentials"
REGION = "region"


def check_account(aws: AwsClient, region: str) -> list[Finding]:
    """Whether AWS knows the caller, and whether the account may use the region. After a refusal, the rest is vain."""
    known = _regions()
    if known and region not in known:
        near = difflib.get_close_matches(region, known, 1)
        meant = f"write {near[0]}, or" if near else "write"
        return [refusal(REGION, f"{region} is no region of AWS that boto3 knows: {meant} another in `region`")]
    try:
        identity: Any = aws("sts", region).get_caller_identity()
    except aws_failures() as error:
        return [refusal(TOPIC, explain_credentials(error))]
    return [ok(TOPIC, f"account {identity['Account']} as {identity['Arn']}"), *_check_region(aws, region)]


def explain_credentials(error: Exception) -> str:
    """Why AWS does not take the caller, and what to do."""
    if is_expired(error):
        return f"the AWS credentials have expired ({error_code(error)}): run aws sso login, or export new ones"
    match kind_of(error):
        case "credentials" if not hasattr(error, "response"):
            return (
                f"there are no AWS credentials ({in_words(error)}): run aws configure, or export AWS_PROFILE or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        case "credentials":
            return (
                f"AWS does not accept the credentials ({in_words(error)}): look for a revoked or mistyped key, a clock "
                "that is wrong, or a region that the account has not enabled"
            )
        case "passing":
            return f"AWS cannot be reached ({in_words(error)}): look at the network, and try again"
        case _:
            return f"AWS does not say who the credentials are of ({in_words(error)})"


def _check_region(aws: AwsClient, region: str) -> list[Finding]:
    try:
        found: Any = aws("ec2", region).describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    except aws_failures() as error:
        return [warning(REGION, f"could not be asked after ({in_words(error)}), so it is not checked")]
    if found and found[0].get("OptInStatus") == "not-opted-in":
        return [
            refusal(REGION, f"the account has not enabled {region}: aws account enable-region --region-name {region}")
        ]
    return [ok(REGION, region)]


@cache
def _regions() -> tuple[str, ...]:
    """The regions that botocore's own list has; new ones come with its next version."""
    import boto3

    session: Any = boto3.Session()
    return tuple(
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    )
