"""Whether the configuration gives the container control of its machine. This asks AWS nothing."""

from __future__ import annotations

from infra.planning import ServicePlan
from infra.planning.isolation import isolation_notes
from infra.preflight.finding import Finding, warning

TOPIC = "container"


def check_isolation(plan: ServicePlan) -> list[Finding]:
    """A warning for each key that gives the container control of its machine."""
    return [warning(TOPIC, note) for note in isolation_notes(plan.container)]
