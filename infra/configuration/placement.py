"""Where replicas may run: regions, zones, instance types, and how they are bought."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from infra.configuration.amounts import Number
from infra.configuration.section import problem

_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]+"

SpotPolicy = Literal["spot", "on-demand", "auto"]


def _is_region(value: str) -> str:
    if not re.fullmatch(_REGION, value):
        raise problem("a region is AWS's name of it", "write for example us-east-1")
    return value


def _is_zone(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z0-9]+)+", value, re.ASCII):
        raise problem("an availability zone is AWS's name of it", "write for example us-east-1a")
    return value


def _is_instance_type(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", value, re.ASCII):
        raise problem("an instance type is EC2's name of it", "write for example g6.xlarge")
    return value


Region = Annotated[str, AfterValidator(_is_region), Field(json_schema_extra={"pattern": f"^{_REGION}$"})]
Regions = Annotated[tuple[Region, ...], Field(min_length=1)]
Zones = Annotated[tuple[Annotated[str, AfterValidator(_is_zone)], ...], Field(min_length=1)]
InstanceTypes = Annotated[tuple[Annotated[str, AfterValidator(_is_instance_type)], ...], Field(min_length=1)]
_PRICE: dict[str, Any] = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
Price = Annotated[Number, Field(gt=0), WithJsonSchema(_PRICE)]
"""Dollars an hour."""
