"""The roll of replicas, and notes about replicas that start and end by themselves."""

from __future__ import annotations

from infra.configuration import Problem, ServiceConfiguration, ServiceSettings
from infra.planning.plan import Replicas
from infra.planning.running import Roll, Schedule, Utilization

MEASURED = 60
"""Seconds over which a load balancer counts requests for its target groups."""
DECIDED = 300
"""Seconds in which a replica whose time is over has itself replaced, or is ended by the wait. Its own clock starts with
its boot script, one or two minutes after that of Auto Scaling."""
DRAINING = 900
"""Seconds for open requests of a replica that ends, without `stop_duration`: as long as the gateway waits for an
answer."""
LONGEST_DELAY = 24 * 3600
"""The most seconds that an alarm can look back at a metric with one value a minute (CloudWatch API: PutMetricAlarm)."""


def check_delays(configuration: ServiceConfiguration, problems: list[Problem]) -> None:
    """Add delays that no alarm can wait for to `problems`."""
    scaling = configuration.scaling
    if scaling is not None and scaling.scale_down_delay > LONGEST_DELAY:
        problems.append(
            Problem(
                where="scaling.scale_down_delay",
                line=configuration.source.line(("scaling", "scale_down_delay")),
                found=f"{scaling.scale_down_delay}s",
                rule="scale_down_delay is at most a day, because a CloudWatch alarm looks back at most that long",
                remedy="write 24h or less",
            )
        )


def plan_roll(replicas: Replicas, *, boot_timeout: int) -> Roll:
    """Return the roll. A new replica starts before an old one ends, so a service with one replica keeps serving.

    Auto Scaling ends an old instance when the new one is healthy and its warm-up is over. For the group, a new instance
    is healthy as long as its machine works, until the machine itself reports that it did not serve within boot_timeout.
    With a warm-up shorter than that, an update that fails would end replicas that serve.
    """
    least = max(1, replicas.minimum)
    return Roll(
        min_healthy_percentage=100,
        max_healthy_percentage=100 + -(-100 // least),
        warmup=boot_timeout + DECIDED,
    )


def operation_notes(
    replicas: Replicas, settings: ServiceSettings, schedule: Schedule | None, *, backed: bool = False
) -> list[str]:
    """Return notes on starting and scaling that a user of dstack does not expect. `backed`: another group of replicas
    always has some."""
    notes: list[str] = []
    if backed and replicas.minimum == 0:
        if replicas.maximum:
            notes.append(
                "The group can scale to 0 replicas: then the first request starts a replica, and the other groups "
                "answer until it serves. pulumi up does not wait for it."
            )
    elif replicas.maximum == 0:
        notes.append("replicas is 0: no replica runs, and the gateway answers requests with 503.")
    elif replicas.minimum == 0:
        notes.append(
            "The service can scale to 0 replicas: then the first request starts a replica, and requests get 502, 503 "
            "or 504 until it serves, minutes later. pulumi up does not wait for a replica, so you see only then "
            "whether the service serves. A replica that does not serve within boot_timeout is removed."
        )
    elif not settings.wait and schedule is None:
        notes.append("wait is false: pulumi up ends before the service serves. `make wait STACK=…` waits for it.")
    scaling = replicas.scaling
    if scaling is not None and scaling.window != MEASURED:
        notes.append(f"scaling.window is {scaling.window}s, but this has no effect: AWS counts requests per minute.")
    return notes


def retry_notes(configuration: ServiceConfiguration) -> list[str]:
    """Return how trying again differs from dstack."""
    if configuration.retry is None:
        return []
    return [
        f"retry: pulumi up waits up to {configuration.retry.duration}s for the first instance, and then gives up. Once "
        "a replica has served, Auto Scaling replaces replicas that end or that AWS takes away, and never gives up."
    ]


def plan_utilization(configuration: ServiceConfiguration) -> Utilization | None:
    """Return the use of GPUs without which the service ends; `None`: it runs on without use, as it does with 0 %."""
    policy = configuration.utilization_policy
    if policy is None or policy.min_gpu_utilization == 0:
        return None
    return Utilization(least=policy.min_gpu_utilization, window=policy.time_window)


def utilization_notes(configuration: ServiceConfiguration, replicas: Replicas) -> list[str]:
    """Return what ends the service without use, and what starts it again."""
    policy = configuration.utilization_policy
    if policy is None:
        return []
    if policy.min_gpu_utilization == 0:
        return [
            "utilization_policy has no effect: no GPU is used less than 0 %, so nothing ends the service. Write "
            "min_gpu_utilization 1 or more."
        ]
    again = "make wait STACK=… starts it again"
    if replicas.minimum == 0:
        again = "a request starts it again"
    elif configuration.schedule is not None:
        again = "the next time of its schedule starts it again"
    return [
        f"utilization_policy: if a GPU of a replica is used less than {policy.min_gpu_utilization} % for "
        f"{policy.time_window}s, the replica sets the group to no replicas; {again}."
    ]
