"""What a group launches: a launch template, or a mixed instances policy with one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Members = Mapping[str, Any]


@dataclass(frozen=True)
class Offer:
    """An instance type that a launch can take."""

    type: str
    weight: str | None
    template: Members


@dataclass(frozen=True)
class Configuration:
    """A template and how to choose from its offers. The members are those of the API."""

    template: Members
    """LaunchTemplateSpecification."""
    overrides: Sequence[Members] = ()
    distribution: Members | None = None
    """InstancesDistribution; `None`: the group has no mixed instances policy."""

    @property
    def mixed(self) -> bool:
        """Whether there is a mixed instances policy."""
        return self.distribution is not None

    @property
    def floats(self) -> bool:
        """Whether the version is `$Latest` or `$Default`, to which a rollback is not possible."""
        return self.template.get("Version") in (None, "$Latest", "$Default")

    def offers(self, type: str) -> Sequence[Offer]:
        """The instance types, the preferred one first; type: that of the template, where no override names one."""
        if not self.overrides:
            return (Offer(type, None, self.template),)
        return tuple(
            Offer(
                override.get("InstanceType", type),
                override.get("WeightedCapacity"),
                override.get("LaunchTemplateSpecification", self.template),
            )
            for override in self.overrides
        )

    def on_demand(self, capacity: int) -> int:
        """Return how much of a capacity is on demand; the rest is spot. Fractions count as on demand."""
        if self.distribution is None:
            return capacity
        base = int(self.distribution.get("OnDemandBaseCapacity") or 0)
        percent = self.distribution.get("OnDemandPercentageAboveBaseCapacity")
        share = (100 if percent is None else int(percent)) / 100
        return min(capacity, base + math.ceil(max(0, capacity - base) * share))


def from_policy(policy: Members) -> Configuration:
    """The configuration in a MixedInstancesPolicy."""
    template = policy["LaunchTemplate"]
    return Configuration(
        template["LaunchTemplateSpecification"],
        tuple(template.get("Overrides") or ()),
        policy.get("InstancesDistribution") or {},
    )
