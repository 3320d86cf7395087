"""The verdict on a look: the service serves, it never will, or the wait continues. Time is an argument."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from infra.readiness.awaited import Awaited
from infra.readiness.launch_failures import LaunchFailure, explain_launch_failure
from infra.readiness.seen import Activity, Refresh, Replica, Seen, State

_NOTHING_THERE = ("Target.FailedHealthChecks", "Target.Timeout")
_LONGER = "read the container's log; a model that needs more time to load needs a larger boot_timeout"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why the service does not serve."""

    what: str
    remedy: str | None = None
    instance: str | None = None
    """The replica that failed."""
    step: str | None = None
    """The last step of that replica."""


class Judge:
    """Judges one look after another. It remembers when things began, and the causes that replicas named."""

    def __init__(self, awaited: Awaited, began: float) -> None:
        self._awaited = awaited
        self._failing_since: dict[str, float] = {}
        self._old_activities: frozenset[str] | None = None
        self._followed: str | None = None
        self._deadline = began + (awaited.capacity_timeout or awaited.boot_timeout)
        self._started: dict[str, Replica] = {}
        self._causes: dict[str, State] = {}

    def is_late(self, now: float) -> bool:
        """Whether a replica's time is over. It counts from the start of the first replica, or else of the wait."""
        return now >= self._deadline

    def follow(self, refresh: str) -> None:
        """End the wait when this refresh ends. A refresh that a look found in progress is always followed."""
        self._followed = refresh

    def serving(self, seen: Seen) -> str | None:
        """Return a replica that serves the expected version; `None`: no replica does yet."""
        healthy = healthy_replicas(seen)
        for replica in healthy:
            if replica.version == self._awaited.version:
                return replica.instance
        done = seen.refresh is not None and seen.refresh.id == self._followed and seen.refresh.status == "Successful"
        return healthy[0].instance if done and healthy else None

    def failure(self, seen: Seen, now: float) -> Failure | None:
        """Return why the service will never serve, if that is certain before its time is over."""
        if self._old_activities is None:
            self._old_activities = frozenset(activity.id for activity in seen.activities)
        live = live_replicas(seen, self._awaited.version)
        if live and not self._started:
            self._deadline = now + self._awaited.boot_timeout
        self._started.update((replica.instance, replica) for replica in live)
        self._causes.update((state.instance, state) for state in seen.states if state.cause is not None)
        return self._given_up(seen, live) or self._refresh_ended(seen) or self._launch_failing(seen, live, now)

    def lateness(self, seen: Seen, health_check: str) -> Failure:
        """Return why the service did not serve in time: the most specific reason that is known."""
        within = f"within {in_time(self._awaited.boot_timeout)}"
        live = live_replicas(seen, self._awaited.version)
        for instance in (*(replica.instance for replica in live), *self._started):
            if instance in self._causes:
                state = self._causes[instance]
                if state in seen.states:
                    return Failure(what=str(state.cause), instance=instance, step=state.step)
                return Failure(
                    what=f"{state.cause}; the replica tried again and did not serve {within}",
                    remedy=_LONGER,
                    instance=instance,
                    step=state.step,
                )
        if not live:
            return self._taken_away(seen) or self._never_started(seen)
        steps = {state.instance: state.step for state in seen.states}
        replica = live[0]
        step = steps.get(replica.instance)
        target = next((target for target in seen.targets if target.instance == replica.instance), None)
        if target is not None and target.state == "unhealthy":
            return Failure(
                what=self._unhealthy(target.reason, target.description, within, health_check),
                remedy=_LONGER,
                instance=replica.instance,
                step=step,
            )
        what = f"no replica became healthy {within}"
        if target is not None and target.state != "initial":
            what += f"; the load balancer reports {target.state}: {target.description}"
        if len(self._started) > 1 and (ended := self._ended(seen)):
            what += f"; {len(self._started)} replicas started; the last removal: {ended[-1].message}"
        elif step is None:
            what += "; the replica reported no step, so its boot script did not reach the network"
        return Failure(
            what=what,
            remedy="raise boot_timeout if the replica was still starting",
            instance=replica.instance,
            step=step,
        )

    def _unhealthy(self, reason: str, description: str, within: str, health_check: str) -> str:
        if reason in _NOTHING_THERE:
            port = "the container's port" if self._awaited.port is None else f"port {self._awaited.port}"
            return (
                f"nothing answered on {port} {within} ({description}): the container must listen on the `port` of the "
                "configuration, on every address (0.0.0.0)"
            )
        return f"the health check did not succeed {within}: {health_check}; {description}"

    def _given_up(self, seen: Seen, live: list[Replica]) -> Failure | None:
        """Return the failure when every replica reports that it has stopped for good."""
        final = {state.instance: state for state in seen.states if state.final}
        if not live or any(replica.instance not in final for replica in live):
            return None
        state = final[live[-1].instance]
        what = state.cause or f"the replica stopped at the step: {state.step}"
        return Failure(what=what, instance=state.instance, step=state.step)

    def _refresh_ended(self, seen: Seen) -> Failure | None:
        refresh = seen.refresh
        if refresh is None:
            return None
        if refresh.going:
            if refresh.status != "Cancelling":  # it was given up before this wait, and replaces nothing
                self._followed = refresh.id
            return None
        if refresh.id != self._followed or refresh.status == "Successful":
            return None
        # AWS says of a roll for which no instance started only that it took too long.
        failed = [] if self._started else [one for one in self._new(seen) if one.failed and one.ends is None]
        return _launch_failure(explain_launch_failure(failed[-1].message)) if failed else _refresh_failure(refresh)

    def _launch_failing(self, seen: Seen, live: list[Replica], now: float) -> Failure | None:
        """Return the failure when every cause of failed launches counts as permanent. Launches that failed before this
        wait began do not count."""
        if live:
            self._failing_since.clear()
            return None
        failures = [
            explain_launch_failure(activity.message)
            for activity in self._new(seen)
            if activity.failed and activity.ends is None
        ]
        for failure in failures:
            self._failing_since.setdefault(failure.what, now)
        times = Counter(failure.what for failure in failures)
        if not failures or not all(self._is_permanent(failure, times[failure.what], now) for failure in failures):
            return None
        return _launch_failure(failures[-1])

    def _is_permanent(self, failure: LaunchFailure, times: int, now: float) -> bool:
        """Whether a failure counts as permanent: it happened again, and for long enough."""
        if failure.patience is None:
            return False
        return failure.patience == 0 or (times > 1 and now - self._failing_since[failure.what] >= failure.patience)

    def _taken_away(self, seen: Seen) -> Failure | None:
        """Return the failure when replicas were started and all of them were removed."""
        if not self._started:
            return None
        count = len(self._started)
        ended = self._ended(seen)
        why = f": {ended[-1].message}" if ended else ""
        return Failure(
            what=f"{'a replica was' if count == 1 else f'{count} replicas were'} started and then removed{why}",
            remedy="read the logs of the container and of the boot script",
            instance=list(self._started)[-1],
        )

    def _never_started(self, seen: Seen) -> Failure:
        within = f"within {in_time(self._awaited.capacity_timeout or self._awaited.boot_timeout)}"
        group, refresh, wanted = seen.group, seen.refresh, self._awaited.version
        failed = [activity for activity in seen.activities if activity.failed and activity.ends is None]
        if failed:
            return _launch_failure(explain_launch_failure(failed[-1].message))
        if group.suspended:
            return Failure(
                what=f"no instance started {within}: the group's process Launch or Terminate is suspended",
                remedy=f"run aws autoscaling resume-processes --auto-scaling-group-name {self._awaited.group} --region "
                f"{self._awaited.region}",
            )
        if group.version is not None and group.version != wanted:
            return Failure(
                what=f"the group uses version {group.version} of its launch template, but version {wanted} is "
                "expected: something else has changed the group",
                remedy="run pulumi up --refresh",
            )
        if refresh is not None and not refresh.going and refresh.status != "Successful":
            return _refresh_failure(refresh)
        return Failure(
            what=f"no instance started {within}, and Auto Scaling gives no reason",
            remedy="read the group's activity history in the EC2 console",
        )

    def _ended(self, seen: Seen) -> list[Activity]:
        """Return the activities of this wait that ended replicas of the expected version."""
        return [activity for activity in self._new(seen) if activity.ends in self._started and not activity.failed]

    def _new(self, seen: Seen) -> list[Activity]:
        old = self._old_activities or frozenset[str]()
        return [activity for activity in seen.activities if activity.id not in old]


def live_replicas(seen: Seen, version: int) -> list[Replica]:
    """Return the replicas of a version that run or start, and that the group does not remove."""
    return [replica for replica in seen.group.replicas if replica.version == version and not replica.leaving]


def healthy_replicas(seen: Seen) -> list[Replica]:
    """Return the replicas of any version that serve."""
    healthy = {target.instance for target in seen.targets if target.state == "healthy"}
    return [replica for replica in seen.group.replicas if replica.instance in healthy and not replica.leaving]


def _refresh_failure(refresh: Refresh) -> Failure:
    reason = f": {refresh.reason}" if refresh.reason else ""
    return Failure(what=f"the roll ended with the status {refresh.status} at {refresh.percent} %{reason}")


def _launch_failure(failure: LaunchFailure) -> Failure:
    return Failure(what=failure.sentence, remedy=failure.remedy)


def in_time(seconds: float) -> str:
    """Return a duration in words: `30 minutes`, `90 seconds`."""
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
