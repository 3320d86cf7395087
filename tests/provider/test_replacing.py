"""Which changes replace a resource: the stand-in says what the provider says, for each property that can be set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cloud.deployment.terraform.client import Planned, Provider
from cloud.deployment.terraform.translation import configuration, terraform_name, terraform_type
from cloud.deployment.terraform.values import Block, Type
from commands.property_values import UNKNOWN, FileValue, UnknownValue
from tests.aws.standin.differences import difference
from tests.provider.judged import Resource
from tests.provider.places import Place, places

_OTHERS = {
    "rules.expiration.date": "2030-01-01T00:00:00Z",
    "rules.transitions.date": "2030-01-01T00:00:00Z",
    "transitionDefaultMinimumObjectSize": "varies_by_storage_class",
}
"""Where the provider plans only with values that are right."""
_NOTHING = frozenset({"fifo_throughput_scope"})
"""What AWS computes as nothing: with a value, the provider refuses a standard topic."""
_KNOWN: Mapping[str, Any] = {"string": "KNOWN", "number": 0, "bool": False, "list": [], "set": [], "map": {}}


def test_a_change_replaces_a_resource_where_the_provider_says_so(
    provider: Provider, each_type: Mapping[str, Resource], capsys: pytest.CaptureFixture[str]
) -> None:
    different: list[str] = []
    tried = 0
    for type, resource in each_type.items():
        for place, new, replacing in _changed(provider, resource):
            tried += 1
            found = set(difference(type, resource.inputs, new).replacing)
            if found != replacing:
                different.append(f"{type} {place.path}: provider {sorted(replacing)}, stand-in {sorted(found)}")
    with capsys.disabled():
        print(f"\nchanges of one property, each planned by the provider: {tried}")
    assert different == [], "\n".join(different)


def test_a_resource_that_is_there_stays_as_it_is(provider: Provider, each_type: Mapping[str, Resource]) -> None:
    """The same inputs again change nothing. Otherwise each `pulumi up` would."""
    changed: list[str] = []
    for type, resource in each_type.items():
        block, config, state, private = _made(provider, resource)
        again = provider.plan(terraform_type(type), config, state, private)
        assert again.refusals == (), f"{resource}: {again.refusals}"
        names = [name for name in (*block.attributes, *block.blocks) if again.state[name] != state[name]]
        changed += [f"{type} {name}: {state[name]} becomes {again.state[name]}" for name in names]
    assert changed == [], "\n".join(changed)


def _made(provider: Provider, resource: Resource) -> tuple[Block, Mapping[str, Any], dict[str, Any], bytes]:
    """(schema, configuration, state, private state) of a resource that was made."""
    type = terraform_type(resource.type)
    block = provider.block(type)
    provider.configure(resource.region, resource.default_tags)
    config = configuration(resource.type, block, resource.inputs)
    made = provider.plan(type, config)
    assert made.refusals == (), f"{resource}: {made.refusals}"
    return block, config, _known(block, made.state), made.private


def _changed(provider: Provider, resource: Resource) -> Iterator[tuple[Place, Mapping[str, Any], set[str]]]:
    """(place, inputs, which property replaces) of every change that the provider takes for one."""
    type = terraform_type(resource.type)
    block, _, state, private = _made(provider, resource)
    for place in places(resource.type, resource.inputs):
        for value in _others(place):
            new = place.with_value(value)
            plan = provider.plan(type, configuration(resource.type, block, new), state, private)
            top = place.path.partition(".")[0]
            name = terraform_name(resource.type, "", block, top)
            if not plan.refusals and plan.state[name] != state[name]:
                yield place, new, {top} if _is_replaced(plan, name) else set()


def _is_replaced(plan: Planned, name: str) -> bool:
    """Whether a property of that name in Terraform, or something in it, needs a new resource."""
    return any(path.partition(".")[0] == name for path in plan.replacing)


def _others(place: Place) -> Iterator[Any]:
    """Values that are not what is there."""
    if (other := _other(place)) is not None:
        yield other
    if place.value is not None and not place.required:
        yield UNKNOWN  # taken away


def _other(place: Place) -> Any:
    value = place.value
    match place.kind:
        case "string":
            return _OTHERS.get(place.name) or (f"{value}-other" if isinstance(value, str) else "other")
        case "number":
            return (value or 0) + 1
        case "bool":
            return not value
        case "file":
            return FileValue(archive=True, path="/other.zip")
        case "list" if place.of == "string":
            return [*(value or ()), "other"]
        case "list" if place.of == "number":
            return [*(value or ()), 7]
        case "map":
            return {**(value or {}), "other": "other"}
        case _:
            return None  # what is within has places of its own


def _known(block: Block, state: Mapping[str, Any]) -> dict[str, Any]:
    """`state` as it is after the resource is made: what the provider computes is known."""
    known: dict[str, Any] = {}
    for name, value in state.items():
        if name in block.attributes:
            computed = "" if name in _NOTHING else _some(block.attributes[name].type)
            known[name] = computed if isinstance(value, UnknownValue) else value
        elif isinstance(value, UnknownValue):
            known[name] = []
        elif isinstance(value, list):
            known[name] = [_known(block.blocks[name].block, one) for one in value]
        else:
            known[name] = value
    return known


def _some(type: Type) -> Any:
    return _KNOWN.get(type if isinstance(type, str) else type[0])
