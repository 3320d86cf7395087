"""The interface of a package of resource types: aws, random, dynamic resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from commands.program_monitor import Refused


@dataclass(frozen=True)
class Difference:
    """A change of a resource."""

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
    """A resource that exists although its creation failed. The state keeps it, and the next deployment tries again."""

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
    """Each method can raise `Refused`. Secrets are plain values in inputs, and `SecretValue` in outputs."""

    def check(
        self, type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Return the inputs, with what the package adds. `old`: those of the existing resource."""
        ...

    def difference(self, there: Existing, inputs: Mapping[str, Any]) -> Difference:
        """Return the change that gives the resource these `inputs`, which are checked and can be unknown."""
        ...

    def create(self, type: str, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made: ...
    def update(self, there: Existing, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made: ...
    def delete(self, there: Existing, timeouts: Mapping[str, str]) -> None: ...


def unmarked(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs for the program."""
    return {name: value for name, value in outputs.items() if not name.startswith("__")}
