"""What has been created: resources as records, found by type and property. Plain JSON, so that it can lie in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

GLOBAL = ("aws:iam/", "aws:route53/", "random:", "pulumi-python:")
"""Types of which there is one set an account, whatever the region."""


@dataclass
class Record:
    """A resource that exists."""

    type: str
    id: str
    urn: str
    region: str
    seed: str
    """What its computed outputs are made of."""
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    defaults: list[str] = field(default_factory=list[str])
    """The inputs that the provider filled in itself."""


@dataclass
class Records:
    """All of them, and how often each URN was made: a replacement must not get its predecessor's ids."""

    all: list[Record] = field(default_factory=list[Record])
    made: dict[str, int] = field(default_factory=dict[str, int])
    history: list[list[str]] = field(default_factory=list[list[str]])
    """What happened, in order: `create`, `update` or `delete`, and the URN."""

    def of(self, type: str, region: str | None = None) -> Iterator[Record]:
        """The records of a type, in a region where the type has one."""
        anywhere = region is None or type.startswith(GLOBAL)
        yield from (record for record in self.all if record.type == type and (anywhere or record.region == region))

    def find(self, type: str, property: str, value: Any, region: str | None = None) -> Record | None:
        """The one whose id or output `property` is `value`."""
        return next(
            (
                record
                for record in self.of(type, region)
                if (record.id if property == "id" else record.outputs.get(property)) == value
            ),
            None,
        )

    def by_id(self, type: str, id: str) -> Record | None:
        return next((record for record in self.all if (record.type, record.id) == (type, id)), None)
