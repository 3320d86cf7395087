"""What a package of resource types (aws, random, dynamic resources) does for whoever deploys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from commands.program_monitor import Refused


@dataclass(frozen=True)
class Difference:
    """What changes, and how."""

    changed: tuple[str, ...] = ()
    """Names of the properties that differ."""
    replacing: tuple[str, ...] = ()
    """Those among them that need a new resource."""
    delete_first: bool = False
    """Whether the old resource has to go before the new one comes."""


@dataclass(frozen=True)
class Made:
    """A resource that exists."""

    id: str
    outputs: Mapping[str, Any]
    """With what the package needs to find and compare it again, under names that begin with `__`."""


class PartlyMade(Refused):
    """A resource that exists although its creation failed: it has to be kept, and tried again."""

    def __init__(self, why: str, made: Made) -> None:
        super().__init__(why)
        self.made = made


@dataclass(frozen=True)
class Existing:
    """A resource as it was made."""

    type: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class Package(Protocol):
    """Each method may raise `Refused`. Secrets in inputs are in the open; those in outputs are `SecretValue`."""

    def check(
        self, type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The inputs, with what the package fills in. `old`: those of the resource that is there."""
        ...

    def difference(self, there: Existing, inputs: Mapping[str, Any]) -> Difference:
        """How the resource has to change to have `inputs`, which are checked and may be unknown."""
        ...

    def create(self, type: str, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made: ...
    def update(self, there: Existing, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made: ...
    def delete(self, there: Existing, timeouts: Mapping[str, str]) -> None: ...


def unmarked(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that are a program's business."""
    return {name: value for name, value in outputs.items() if not name.startswith("__")}
