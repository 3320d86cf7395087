"""Who deploys, and into which region."""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Any

from infra.preflight.aws_errors import aws_failures, error_code, in_words, is_expired, is_logged_out, kind_of
from infra.preflight.clients import AwsClient
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "credentials"
REGION = "region"
_CLOCK = re.compile(r"Signature (expired|not yet current)|RequestTimeTooSkewed")


def check_account(aws: AwsClient, region: str, gateways: str | None = None) -> list[Finding]:
    """Whether AWS knows the caller, and whether the account can use the region. After a refusal, no other question to
    AWS makes sense.

    `gateways`: the account of a service's gateway; `None`: every account is right.
    """
    known = _regions()
    if known and region not in known:
        near = difflib.get_close_matches(region, known, 1)
        meant = f"did you mean {near[0]}? Otherwise " if near else ""
        return [refusal(REGION, f"boto3 does not know a region {region}: {meant}set another `region`")]
    try:
        identity: Any = aws("sts", region).get_caller_identity()
    except aws_failures() as error:
        return [refusal(TOPIC, explain_credentials(error))]
    caller = f"account {identity['Account']} as {identity['Arn']}"
    if gateways is not None and identity["Account"] != gateways:
        remedy = "use credentials of that account (AWS_PROFILE, or pulumi config set aws:profile NAME), or set another"
        return [refusal(TOPIC, f"{caller}, but the gateway is in account {gateways}: {remedy} `gateway`")]
    return [ok(TOPIC, caller), *_check_region(aws, region)]


def explain_credentials(error: Exception) -> str:
    """Return why AWS does not accept the caller, and what to do."""
    if is_expired(error):
        return f"the AWS credentials have expired ({error_code(error)}): run aws sso login, or export new ones"
    if is_logged_out(error):
        return (
            f"the AWS profile is not logged in, or its login has expired ({in_words(error)}): run aws sso login or "
            "aws login with that profile"
        )
    match kind_of(error):
        case "credentials" if error_code(error) == "NoCredentialsError":
            return (
                f"there are no AWS credentials ({in_words(error)}): run aws configure, or export AWS_PROFILE or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        case "credentials" if not hasattr(error, "response"):
            return (
                f"the AWS profile gives no credentials ({in_words(error)}): correct it in ~/.aws/config, or choose "
                "another with AWS_PROFILE or stack config aws:profile (aws configure list-profiles shows them)"
            )
        case "credentials" if _CLOCK.search(in_words(error)):
            return f"this machine's clock is wrong, AWS says ({in_words(error)}): set it from a time server"
        case "credentials":
            return (
                f"AWS does not accept the credentials ({in_words(error)}): check for a revoked or mistyped key, a "
                "wrong clock, or a region that the account has not enabled"
            )
        case "passing":
            return f"AWS cannot be reached ({in_words(error)}): check the network, then try again"
        case _:
            return f"AWS does not say whose credentials these are ({in_words(error)}): try again"


def _check_region(aws: AwsClient, region: str) -> list[Finding]:
    try:
        found: Any = aws("ec2", region).describe_regions(RegionNames=[region], AllRegions=True)["Regions"]
    except aws_failures() as error:
        return [warning(REGION, f"not checked: AWS does not answer ({in_words(error)})")]
    if found and found[0].get("OptInStatus") == "not-opted-in":
        return [
            refusal(
                REGION,
                f"the account has not enabled {region}: run aws account enable-region --region-name {region}",
            )
        ]
    return [ok(REGION, region)]


@cache
def _regions() -> tuple[str, ...]:
    """The regions in botocore's own list, for every profile. New regions come with its next version."""
    from botocore import loaders

    loader: Any = loaders.Loader()
    endpoints: Any = loader.load_data("endpoints")
    return tuple(region for partition in endpoints["partitions"] for region in partition["regions"])
