"""What names another region than the resource's own: ARNs, Availability Zones, services of endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import is_list, is_object, value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.world import zones_of

_REGIONAL = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:(?P<region>[a-z]{2}(-[a-z]+)+-\d):.*", re.DOTALL)
_ENDS = re.compile(r"(Arns?|[a-z]Actions|layers|uri)(\[\d+\])?$")
"""How the paths end of properties that name something by its ARN."""
_OF_EDGE = ("aws:apigateway/domainName:DomainName", "certificateArn")
"""An edge-optimized domain's certificate is in us-east-1."""


def elsewhere(type: str, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """A regional service knows what is in its own region alone."""
    if not type.startswith("aws:"):
        return
    for where, text in _texts("", inputs):
        found = _REGIONAL.fullmatch(text) if _ENDS.search(where) else None
        if found is not None and found["region"] != region and (type, where) != _OF_EDGE:
            yield Problem(where, f"ValidationException: {text} is in {found['region']}, not in {region}")
    zone = value_at(inputs, "availabilityZone")
    if zone is not None and zone not in zones_of(region):
        reason = f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can be created in"
        yield Problem("availabilityZone", f"InvalidParameterValue: {reason} {', '.join(zones_of(region))}")
    service = value_at(inputs, "serviceName")
    if service is not None and re.match(r"com\.amazonaws\.[a-z]+-", service) and f".{region}." not in service:
        reason = f"The Vpc Endpoint Service '{service}' does not exist in {region}"
        yield Problem("serviceName", f"InvalidServiceName: {reason}")


def _texts(where: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif is_object(value):
        for key, item in value.items():
            yield from _texts(f"{where}.{key}" if where else str(key), item)
    elif is_list(value):
        for index, item in enumerate(value):
            yield from _texts(f"{where}[{index}]", item)
