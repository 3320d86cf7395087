"""Explicit providers (`pulumi:providers:aws`): which settings there are, and which region they choose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi_aws
import pulumi_random

from tests.aws.standin.paths import is_object
from tests.aws.standin.problem import NotAccepted, Problem, refuse
from tests.aws.standin.sdk import input_types

PREFIX = "pulumi:providers:"

_ARGUMENTS: Mapping[str, Any] = {
    f"{PREFIX}aws": pulumi_aws.ProviderArgs,
    f"{PREFIX}random": pulumi_random.ProviderArgs,
    f"{PREFIX}pulumi-python": None,
}


def provider_region(type: str, inputs: Mapping[str, Any]) -> str | None:
    """The region of a provider, or `None`; refused where it has a setting that there is not."""
    if type not in _ARGUMENTS:
        raise refuse(f"the stand-in for AWS does not know the provider {type}")
    names: Mapping[str, Any] = input_types(_ARGUMENTS[type]) if _ARGUMENTS[type] else {}
    settings = {name: value for name, value in inputs.items() if name not in ("version", "pluginDownloadURL")}
    if unknown := [name for name in settings if not name.startswith("__") and name not in names]:
        raise NotAccepted([Problem(name, f"the provider has no setting {name!r}") for name in unknown])
    region = inputs.get("region")
    return region if isinstance(region, str) else None


def default_tags(inputs: Mapping[str, Any]) -> Mapping[str, str]:
    """The provider's tags for everything; on the wire, what is no string is JSON."""
    given = inputs.get("defaultTags")
    read = json.loads(given) if isinstance(given, str) else given
    return read.get("tags", {}) if is_object(read) else {}
