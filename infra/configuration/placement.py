"""Where replicas can run: regions, availability zones and instance types. And how they are bought."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Number
from infra.configuration.refusals import BACKENDS
from infra.configuration.section import problem

_RESERVATION = r"cr-[0-9a-f]{8,17}"
_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]+"

SpotPolicy = Literal["spot", "on-demand", "auto"]


def _is_region(value: str) -> str:
    if not re.fullmatch(_REGION, value):
        raise problem("a region must be an AWS region name", "write a region such as us-east-1")
    return value


def _is_zone(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z0-9]+)+", value, re.ASCII):
        rule = "an availability zone must be an AWS zone name"
        raise problem(rule, "write a zone such as us-east-1a")
    return value


def _is_instance_type(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", value, re.ASCII):
        rule = "an instance type must be the name of an EC2 instance type"
        raise problem(rule, "write an instance type such as g6.xlarge")
    return value


def _have_aws(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name != "aws" and name not in BACKENDS:
            raise problem("a backend must be one of dstack's", "write `backends: [aws]`, or remove it", found=name)
    if "aws" not in value:
        rule = "aws must be among the backends, because servestack runs only on AWS"
        raise problem(rule, "write `backends: [aws]`, or remove it", found=", ".join(value) or "an empty list")
    return value


def _is_a_reservation(value: str) -> str:
    if not re.fullmatch(_RESERVATION, value, re.ASCII):
        rule = "a reservation must be the id of a Capacity Reservation or a Capacity Block of EC2"
        raise problem(rule, "copy the id from EC2: cr-…")
    return value


def purchase_conflicts(given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
    """Return the conflicts between keys that say how instances are bought."""
    if given.get("reservation") is None:
        return
    if given.get("spot_policy") not in (None, "on-demand"):
        rule = "a spot instance cannot run in a reservation"
        yield "spot_policy", problem(rule, "write `spot_policy: on-demand`, or remove `reservation`")


Region = Annotated[str, AfterValidator(_is_region), Field(json_schema_extra={"pattern": f"^{_REGION}$"})]
Regions = Annotated[tuple[Region, ...], Field(min_length=1)]
Backends = Annotated[
    tuple[str, ...],
    AfterValidator(_have_aws),
    Field(json_schema_extra={"items": {"enum": ["aws", *BACKENDS]}, "contains": {"const": "aws"}}),
]
Reservation = Annotated[
    str, AfterValidator(_is_a_reservation), Field(json_schema_extra={"pattern": f"^{_RESERVATION}$"})
]
Zones = Annotated[tuple[Annotated[str, AfterValidator(_is_zone)], ...], Field(min_length=1)]
InstanceTypes = Annotated[tuple[Annotated[str, AfterValidator(_is_instance_type)], ...], Field(min_length=1)]
_PRICE: dict[str, Any] = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
Price = Annotated[Number, Field(gt=0), WithJsonSchema(_PRICE)]
"""Dollars per hour."""
