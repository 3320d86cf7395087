"""Whether the container stays in its place: what the configuration says, for nobody has to be asked."""

from __future__ import annotations

from infra.planning import ServicePlan
from infra.planning.isolation import isolation_notes
from infra.preflight.finding import Finding, warning

TOPIC = "container"


def check_isolation(plan: ServicePlan) -> list[Finding]:
    """A warning for each thing that gives the container the machine."""
    return [warning(TOPIC, note) for note in isolation_notes(plan.container)]
