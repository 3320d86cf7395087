"""Everything that can be said of one resource's inputs by themselves: SDK, botocore's model, limits, rules, tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin import limits, models, sdk
from tests.aws.standin.paths import is_list, is_object, value_at, values_at
from tests.aws.standin.problem import NotAccepted, Problem, refuse
from tests.aws.standin.rules import Rule, api, balancing, data, functions, instances, monitoring, network, permissions
from tests.aws.standin.tables import types

DYNAMIC = "pulumi-python:dynamic:Resource"
"""A resource that the project's own code manages; its properties are its own."""

_RULES: Mapping[str, tuple[Rule, ...]] = {
    **api.RULES,
    **balancing.RULES,
    **data.RULES,
    **functions.RULES,
    **instances.RULES,
    **monitoring.RULES,
    **network.RULES,
    **permissions.RULES,
}
_TAG = re.compile(r"[\w\s.:/=+\-@]*")
"""tag-editor/latest/userguide/best-practices-and-strats.html: letters, digits, spaces and `_ . : / = + - @`."""


def check(token: str, inputs: Mapping[str, Any]) -> None:
    """Refuse what the provider or AWS would refuse, all of it at once."""
    if problems := list(_problems_with(token, inputs)):
        raise NotAccepted(problems)


def check_tags(tags: Any) -> None:
    """Refuse tags that AWS would refuse: those of a resource together with the default ones."""
    if is_object(tags) and (problems := list(_map_of_tags("tags", tags))):
        raise NotAccepted(problems)


def known(token: str) -> None:
    if token not in types() and token != DYNAMIC:
        raise refuse(f"the stand-in for AWS does not know the resource type {token}; types.csv lists what it knows")


def _problems_with(token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    known(token)
    if token == DYNAMIC:
        return
    shaped = sdk.problems_with(token, inputs)
    yield from shaped
    if shaped:
        return
    yield from models.problems_with(token, inputs)
    yield from limits.problems_with(token, inputs)
    for rule in _RULES.get(token, ()):
        yield from rule(inputs)
    yield from _tags(token, inputs)


def _tags(token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """50 tags, 128 and 256 characters, and `aws:` is AWS's own (the page of `_TAG`)."""
    tags = value_at(inputs, "tags")
    if token == "aws:autoscaling/group:Group" and is_list(tags):
        tags = {tag.get("key"): tag.get("value") for tag in tags}
    if is_object(tags):
        yield from _map_of_tags("tags", tags)
    for where, of_instances in values_at(inputs, "tagSpecifications[].tags"):
        yield from _map_of_tags(where, of_instances)


def _map_of_tags(at: str, tags: Mapping[str, Any]) -> Iterator[Problem]:
    if len(tags) > 50:
        yield Problem(at, f"TooManyTags: a resource has at most 50 tags, got {len(tags)}")
    for key, value in tags.items():
        where = f"{at}[{key!r}]"
        if str(key).lower().startswith("aws:"):
            yield Problem(where, "Tag keys starting with 'aws:' are reserved for system use")
        if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key):
            yield Problem(where, "InvalidTag: 1 to 128 letters, digits, spaces and _.:/=+-@")
        if isinstance(value, str) and (len(value) > 256 or not _TAG.fullmatch(value)):
            yield Problem(where, "InvalidTag: a value has at most 256 letters, digits, spaces and _.:/=+-@")
