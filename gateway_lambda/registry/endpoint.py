"""Where DynamoDB answers."""

from __future__ import annotations

from collections.abc import Mapping

_SUFFIXES = (
    ("cn-", "amazonaws.com.cn"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
)
"""How a region's name begins, and the domain of its partition's services; others have amazonaws.com."""


def region_in(environment: Mapping[str, str]) -> str | None:
    """The function's region."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    return next((found for name in names if (found := environment.get(name, "").strip())), None)


def dynamodb_endpoint(environment: Mapping[str, str], region: str) -> str:
    """Return the base URL: that of the region, or the one that AWS's own clients would read from the same variables."""
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").strip().lower() != "true":
        for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"):
            if found := environment.get(name, "").strip():
                return found.rstrip("/")
    suffix = next((suffix for start, suffix in _SUFFIXES if region.startswith(start)), "amazonaws.com")
    return f"https://dynamodb.{region}.{suffix}"
