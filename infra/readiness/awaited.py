"""What is waited for, and the two ways in which waiting ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.planning.plan import Roll


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """A deployed service that should serve."""

    run: str
    region: str
    group: str
    """Name of its Auto Scaling group."""
    target_group: str
    """ARN of its target group."""
    table: str
    """Name of the gateway's table, where replicas say how far they are."""
    log_group: str
    """Name of its CloudWatch log group; streams are `<instance>/boot` and `<instance>/container`."""
    version: int
    """The launch template's version that replicas should have."""
    minimum: int
    """Replicas that the plan wants at least; 1 or more."""
    roll: Roll
    """How replicas of another version are replaced."""
    port: int | None
    """Where the container listens; `None`: not known."""
    boot_timeout: int
    """Seconds that a replica has to become healthy."""
    on_failure: Literal["stop", "keep"]


@dataclass(frozen=True, kw_only=True)
class Served:
    """It serves."""

    instance: str
    """A replica of the wanted version that the load balancer takes for healthy."""
    seconds: float
    """How long it took."""


class NotServingError(Exception):
    """It does not serve. `str()` is the whole report: cause, remedy, where the logs are, what is still billed."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report
