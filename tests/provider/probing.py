"""Plants wrong values in resources that are right, one at a time, and asks the provider about each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloud.deployment.terraform.client import Provider, Refusal
from cloud.deployment.terraform.translation import configuration, terraform_type
from commands.property_values import UNKNOWN
from tests.aws.standin.tables import types
from tests.provider.judged import Resource
from tests.provider.places import Place, places

_LONG = "x" * 600
_STRINGS = ("", "not valid!", _LONG)
_NUMBERS = (-1, 0, 100_000_000)


@dataclass(frozen=True)
class Probe:
    """One wrong value, and what the provider said of it."""

    type: str
    place: Place
    value: Any
    """`UNKNOWN`: the property is taken away."""
    inputs: Mapping[str, Any]
    refusals: tuple[Refusal, ...]

    def __str__(self) -> str:
        shown = "nothing" if self.value is UNKNOWN else repr(self.value)[:40]
        return f"{self.type} {self.place.path} = {shown}"


def probes(provider: Provider, resource: Resource) -> Iterator[Probe]:
    """Every wrong value in every property that the type has, set or not."""
    type = terraform_type(resource.type)
    block = provider.block(type)
    provider.configure(resource.region, resource.default_tags)
    usual = _refusals(provider, type, configuration(resource.type, block, resource.inputs))
    named = types()[resource.type].named
    for place in places(resource.type, resource.inputs):
        for value in _wrong(place, named):
            inputs = place.with_value(value)
            if place.name == f"{named}Prefix":
                inputs.pop(named, None)  # Pulumi's provider fills in a name only where there is no prefix
            found = _refusals(provider, type, configuration(resource.type, block, inputs))
            refusals = tuple(one for one in found if one not in usual)
            yield Probe(resource.type, place, value, inputs, refusals)


def _refusals(provider: Provider, type: str, config: Mapping[str, Any]) -> tuple[Refusal, ...]:
    return provider.validate(type, config) or provider.plan(type, config).refusals


def _wrong(place: Place, named: str) -> Iterator[Any]:
    """`named`: the property that gets a name when it is taken away."""
    if place.kind == "string":
        yield from _STRINGS
        if isinstance(place.value, str) and place.value.startswith("arn:"):
            yield re.sub(r"\d{12}", "12", place.value, count=1)
            yield place.value.removeprefix("arn:")
    elif place.kind == "number":
        yield from _NUMBERS
    elif place.kind == "bool" and place.value is None:
        yield True
    elif place.kind == "object" and place.value is None:
        yield {}
    elif place.kind == "list":
        yield []
        if place.of == "string":
            yield from ([text] for text in _STRINGS)
    elif place.kind == "map" and place.of == "string":
        yield {"": "x"}
        yield {"not valid!": _LONG}
    if place.value is not None and place.path != named:
        yield UNKNOWN
