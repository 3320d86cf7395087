"""The service to wait for, and the two possible results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.planning.plan import Roll


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """A deployed service that should serve."""

    run: str
    stack: str
    """Name of its stack, for the commands that a report names."""
    region: str
    group: str
    """Name of its Auto Scaling group."""
    target_group: str
    """ARN of its target group."""
    table: str
    """Name of the gateway's table, which holds the state items of replicas."""
    log_group: str
    """Name of its CloudWatch log group. The streams are `<instance>/boot` and `<instance>/container`."""
    version: int
    """The version of the launch template that replicas should have."""
    minimum: int
    """The plan's minimum number of replicas: 1 or more."""
    roll: Roll
    """How replicas of another version are replaced."""
    port: int | None
    """The port that the container listens on; `None`: not known."""
    boot_timeout: int
    """Seconds that a replica has to become healthy."""
    on_failure: Literal["stop", "keep"]
    capacity_timeout: int | None = None
    """Seconds that the first instance has to start; `None`: `boot_timeout`."""
    replica_group: str | None = None
    """Which group of replicas this is, if the service has several, each with an Auto Scaling group of its own."""

    @property
    def title(self) -> str:
        """The run, and the group of its replicas that is waited for, if there are several."""
        return self.run if self.replica_group is None else f"{self.run}, group {self.replica_group},"


@dataclass(frozen=True, kw_only=True)
class Served:
    """The service serves."""

    instance: str
    """A replica of the expected version that the load balancer reports as healthy."""
    seconds: float
    """How long the wait took."""


class NotServingError(Exception):
    """The service does not serve. `str()` is the whole report: cause, what is billed, remedy, logs."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report
