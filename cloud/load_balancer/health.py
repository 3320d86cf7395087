"""What health checks make of a target, in AWS's words."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.load_balancer.configuration import HealthCheck


@dataclass(frozen=True)
class Health:
    """The state of a target (ELBv2 API: TargetHealth)."""

    state: str
    """`initial`, `healthy`, `unhealthy`, `draining` or `unused`."""
    reason: str | None = None
    description: str | None = None


REGISTERING = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
HEALTHY = Health("healthy")
DRAINING = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
GONE = Health("unused", "Target.NotRegistered", "Target is not registered to the target group")
STOPPED = Health("unused", "Target.InvalidState", "Target is in the stopped state")
NOT_IN_USE = Health(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
TIMED_OUT = Health("unhealthy", "Target.Timeout", "Request timed out")
FAILED = Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def mismatch(status: int) -> Health:
    """Return the health of a target that answered with a status that the matcher does not have."""
    return Health("unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")


class Verdict:
    """Counts checks in a row. The first good check makes a new target healthy; a target that has been unhealthy needs
    as many as the threshold says (user guide: Health checks for Application Load Balancer target groups)."""

    def __init__(self) -> None:
        self.health = REGISTERING
        self._good = 0
        self._bad = 0

    def checked(self, result: Health, check: HealthCheck) -> None:
        """Take in the result of a check: `HEALTHY`, or why it failed."""
        if result == HEALTHY:
            self._good, self._bad = self._good + 1, 0
            if self.health.state == "initial" or self._good >= check.healthy_threshold:
                self.health = HEALTHY
            return
        self._good, self._bad = 0, self._bad + 1
        if self._bad >= check.unhealthy_threshold or self.health.state == "unhealthy":
            self.health = result
        elif self.health.state == "initial":
            self.health = CHECKING
