"""How replicas are replaced, and what the user should know about replicas that start and end by themselves."""

from __future__ import annotations

from infra.configuration import Problem, ServiceConfiguration, ServiceSettings
from infra.planning.plan import Replicas, Roll

MEASURED = 60
"""Seconds: over how long a load balancer counts requests for its target groups."""
DECIDED = 60
"""Seconds after a replica's time is over by which the wait for it has ended, and stopped what does not serve."""
LONGEST_DELAY = 24 * 3600
"""Seconds over which an alarm can look at a metric of a minute's resolution (CloudWatch API: PutMetricAlarm)."""


def check_delays(configuration: ServiceConfiguration, problems: list[Problem]) -> None:
    """Adds what no alarm can wait for to `problems`."""
    scaling = configuration.scaling
    if scaling is not None and scaling.scale_down_delay > LONGEST_DELAY:
        problems.append(
            Problem(
                where="scaling.scale_down_delay",
                line=configuration.source.line(("scaling", "scale_down_delay")),
                found=f"{scaling.scale_down_delay}s",
                rule="a replica is taken away after at most a day: an alarm looks no further back",
                remedy="write 24h or less",
            )
        )


def plan_roll(replicas: Replicas, *, boot_timeout: int) -> Roll:
    """One replica more than the least is started before an old one ends, so that a single replica is never away.

    Auto Scaling ends an old instance when the new one is healthy and warm. As long as one may take to boot it counts as
    healthy, whatever the load balancer says (EC2 Auto Scaling, health-check-grace-period). With a shorter warm-up, an
    update that does not come to serve would end replicas that do.
    """
    least = max(1, replicas.minimum)
    return Roll(
        min_healthy_percentage=100,
        max_healthy_percentage=100 + -(-100 // least),
        warmup=boot_timeout + DECIDED,
    )


def operation_notes(replicas: Replicas, settings: ServiceSettings) -> list[str]:
    """Where starting and scaling differ from dstack's, or from what one would expect."""
    notes: list[str] = []
    if replicas.maximum == 0:
        notes.append("replicas is 0: no replica runs, and requests are answered with 503.")
    elif replicas.minimum == 0:
        notes.append(
            "replicas may be 0: the first request after a pause starts a replica and is answered with 503 until it "
            "serves, minutes later. Nothing waits for it now: whether the service serves is seen then, and a replica "
            "that does not within boot_timeout is taken away."
        )
    elif not settings.wait:
        notes.append("wait is false: pulumi up ends before the service serves; `make wait STACK=…` waits for it.")
    scaling = replicas.scaling
    if scaling is not None and scaling.window != MEASURED:
        notes.append(
            f"scaling.window is {scaling.window}s: on AWS requests are counted by the minute, whatever the window is."
        )
    return notes
