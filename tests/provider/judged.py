"""What the provider says of the recorded resources of a stack."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloud.deployment.terraform.client import Planned, Provider
from cloud.deployment.terraform.translation import configuration, terraform_type
from commands.program_monitor import Registration
from tests.aws import sample
from tests.aws.recording import Recording
from tests.aws.standin import Cloud
from tests.aws.standin.cloud import ALL_TAGS
from tests.aws.standin.differences import DEFAULTS
from tests.aws.standin.tables import types
from tests.components.deploying import plain, tags_of_all
from tests.provider import stacks
from tests.provider.stacks import Stack


@dataclass(frozen=True)
class Resource:
    """A recorded resource as Pulumi's provider would hand it to Terraform's."""

    stack: str
    name: str
    type: str
    inputs: Mapping[str, Any]
    """With the name that the provider fills in."""
    tags: Any
    """All its tags, as the stand-in has them; `None` if it takes none."""
    default_tags: Mapping[str, str]
    region: str
    preview: bool
    """Whether some inputs are not known yet."""

    def properties(self) -> set[str]:
        """The Pulumi path of every property that is set, without the positions in lists."""
        return set(_paths(self.inputs))

    def __str__(self) -> str:
        return f"{self.stack}: {self.type} {self.name}"


def everything(folder: Path) -> Iterator[Resource]:
    """The AWS resources of every example and every edge, deployed in folders of `folder`."""
    for number, stack in enumerate((*stacks.examples(), *stacks.edges())):
        account = folder / str(number)
        account.mkdir()
        yield from resources(stack, stacks.record(stack, account))


def each_type(made: Iterable[Resource]) -> Mapping[str, Resource]:
    """A resource of each AWS type that the stand-in knows, with as many properties as possible."""
    known = [resource for resource in (*_of_sample(), *made) if not resource.preview]
    chosen = {resource.type: resource for resource in sorted(known, key=lambda one: len(one.properties()))}
    missing = {type for type in types() if type.startswith("aws:")} - chosen.keys()
    assert not missing, f"no stack has {missing}"
    return {type: _shortened(resource) for type, resource in sorted(chosen.items())}


def resources(stack: Stack, recording: Recording) -> Iterator[Resource]:
    """The AWS resources of a recording."""
    default_tags = tags_of_all(recording)
    (region,) = [str(one.inputs["region"]) for one in recording.run.registrations if one.type == "pulumi:providers:aws"]
    for one in recording.resources:
        if one.type.startswith("aws:"):
            inputs = _checked(one, default_tags)
            tags = inputs.pop(ALL_TAGS, None)
            inputs.pop(DEFAULTS, None)
            yield Resource(stack.name, one.name, one.type, inputs, tags, default_tags, region, stack.preview)


def _of_sample() -> Iterator[Resource]:
    """What the stand-in's own sample makes, which has some types that the program does not use."""
    cloud = Cloud()
    sample.deploy(cloud)
    for one in cloud.records.all:
        if one.type.startswith("aws:"):
            name = one.urn.rpartition("::")[2]
            inputs = {key: value for key, value in one.inputs.items() if key not in (ALL_TAGS, DEFAULTS)}
            yield Resource("sample", name, one.type, inputs, one.inputs.get(ALL_TAGS), {}, one.region, False)


def _shortened(resource: Resource) -> Resource:
    """With two instance types to choose from: forty make the provider slow, and say nothing more."""
    inputs = copy.deepcopy(dict(resource.inputs))
    if (policy := inputs.get("mixedInstancesPolicy")) is not None:
        del policy["launchTemplate"]["overrides"][2:]
    return replace(resource, inputs=inputs)


def planned(provider: Provider, resource: Resource) -> Planned:
    """What the provider plans for a new resource, or why it refuses."""
    type = terraform_type(resource.type)
    config = configuration(resource.type, provider.block(type), resource.inputs)
    provider.configure(resource.region, resource.default_tags)
    if refusals := provider.validate(type, config):
        return Planned(None, frozenset(), refusals)
    return provider.plan(type, config)


def _paths(value: object, where: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            path = f"{where}.{name}" if where else name
            yield path
            yield from _paths(one, path)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, where)


def _checked(one: Registration, default_tags: Mapping[str, str]) -> dict[str, Any]:
    inputs = {name: plain(value) for name, value in one.inputs.items()}
    return Cloud().checked(one.type, one.urn, inputs, tags=default_tags)
