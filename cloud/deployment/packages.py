"""Which package a resource belongs to, with the settings of its provider."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cloud.deployment import dynamic
from cloud.deployment.aws import Aws, Turn
from cloud.deployment.package import Package
from cloud.deployment.random_bytes import RandomBytes
from cloud.deployment.terraform.values import is_object
from commands.program_monitor import Refused

PROVIDERS = "pulumi:providers:"


class Packages:
    """The packages of one deployment. `default_region`: for a provider that names none."""

    def __init__(self, turn: Turn, say: Callable[[str], None], default_region: str | None) -> None:
        self._turn = turn
        self._dynamic = dynamic.Dynamic(say)
        self._default_region = default_region

    def of(self, type: str, settings: Mapping[str, Any]) -> Package:
        """Return the package of a type. `settings`: those of the explicit provider; empty: the default one."""
        if type.startswith("aws:"):
            return self.aws(settings)
        if type.startswith("random:"):
            return RandomBytes()
        if type == dynamic.TYPE:
            return self._dynamic
        raise Refused(f"nothing here makes resources of the type {type}")

    def aws(self, settings: Mapping[str, Any]) -> Aws:
        region = settings.get("region") or self._default_region
        if region is None:
            raise Refused("the AWS provider has no region: neither the program nor aws:region nor AWS_REGION names one")
        return Aws(self._turn, str(region), default_tags(settings))


def default_tags(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the tags that a provider gives to all resources. On the wire, a value that is not a string is JSON."""
    given = settings.get("defaultTags")
    read: Any = json.loads(given) if isinstance(given, str) else given
    return read.get("tags") or {} if is_object(read) else {}
