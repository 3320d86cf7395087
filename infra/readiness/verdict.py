"""From what is seen to a verdict: it serves, it never will, or neither yet. Time is a number that is handed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from infra.readiness.awaited import Awaited
from infra.readiness.launch_failures import LaunchFailure, explain_launch_failure
from infra.readiness.seen import Activity, Refresh, Replica, Seen, State

_NOTHING_THERE = ("Target.FailedHealthChecks", "Target.Timeout")
_LONGER = "look at what the container wrote; a model that takes longer needs a larger boot_timeout"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why it does not serve."""

    what: str
    remedy: str | None = None
    instance: str | None = None
    """The replica that it is about."""
    step: str | None = None
    """How far that replica came."""


class Judge:
    """Judges one look after another; what it remembers is when things began, and the causes that replicas named."""

    def __init__(self, awaited: Awaited, began: float) -> None:
        self._awaited = awaited
        self._failing_since: dict[str, float] = {}
        self._old_activities: frozenset[str] | None = None
        self._followed: str | None = None
        self._deadline = began + awaited.boot_timeout
        self._started: dict[str, Replica] = {}
        self._causes: dict[str, State] = {}

    def is_late(self, now: float) -> bool:
        """Whether the time of a replica is over: it counts from the first one's start, or from the beginning."""
        return now >= self._deadline

    def follow(self, refresh: str) -> None:
        """Takes the end of this refresh for an end of the wait. One that was seen going is followed anyhow."""
        self._followed = refresh

    def serving(self, seen: Seen) -> str | None:
        """A replica that serves what is wanted."""
        healthy = healthy_replicas(seen)
        for replica in healthy:
            if replica.version == self._awaited.version:
                return replica.instance
        done = seen.refresh is not None and seen.refresh.id == self._followed and seen.refresh.status == "Successful"
        return healthy[0].instance if done and healthy else None

    def failure(self, seen: Seen, now: float) -> Failure | None:
        """Why it never will, as far as that is certain before its time is over."""
        if self._old_activities is None:
            self._old_activities = frozenset(activity.id for activity in seen.activities)
        live = live_replicas(seen, self._awaited.version)
        if live and not self._started:
            self._deadline = now + self._awaited.boot_timeout
        self._started.update((replica.instance, replica) for replica in live)
        self._causes.update((state.instance, state) for state in seen.states if state.cause is not None)
        return self._given_up(seen, live) or self._refresh_ended(seen) or self._launch_failing(seen, live, now)

    def lateness(self, seen: Seen, health_check: str) -> Failure:
        """Why it did not serve in time, from the most to the least telling."""
        within = f"within {in_time(self._awaited.boot_timeout)}"
        live = live_replicas(seen, self._awaited.version)
        for instance in (*(replica.instance for replica in live), *self._started):
            if instance in self._causes:
                state = self._causes[instance]
                if state in seen.states:
                    return Failure(what=str(state.cause), instance=instance, step=state.step)
                return Failure(
                    what=f"{state.cause}; tried again since, it did not serve {within}",
                    remedy=_LONGER,
                    instance=instance,
                    step=state.step,
                )
        if not live:
            return self._taken_away(seen) or self._never_started(seen, within)
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
            what += f"; the load balancer says {target.state}: {target.description}"
        if len(self._started) > 1 and (ended := self._ended(seen)):
            what += f"; {len(self._started)} were started, and the last was taken away because: {ended[-1].message}"
        elif step is None:
            what += "; the replica said nothing of itself, so its boot script did not get as far as the network"
        return Failure(
            what=what,
            remedy="raise boot_timeout if it was still on its way",
            instance=replica.instance,
            step=step,
        )

    def _unhealthy(self, reason: str, description: str, within: str, health_check: str) -> str:
        if reason in _NOTHING_THERE:
            port = "the container's port" if self._awaited.port is None else f"port {self._awaited.port}"
            return (
                f"nothing answers on {port} {within} ({description}): `port` in the configuration is "
                "the one that the container listens on, on every address (0.0.0.0)"
            )
        return f"the health check fails {within}: {health_check}; {description}"

    def _given_up(self, seen: Seen, live: list[Replica]) -> Failure | None:
        """Every replica has stopped for good, as each says itself."""
        final = {state.instance: state for state in seen.states if state.final}
        if not live or any(replica.instance not in final for replica in live):
            return None
        state = final[live[-1].instance]
        return Failure(what=state.cause or f"it stopped at: {state.step}", instance=state.instance, step=state.step)

    def _refresh_ended(self, seen: Seen) -> Failure | None:
        refresh = seen.refresh
        if refresh is None:
            return None
        if refresh.going:
            if refresh.status != "Cancelling":  # given up before this wait, it replaces nothing
                self._followed = refresh.id
            return None
        if refresh.id != self._followed or refresh.status == "Successful":
            return None
        return _refresh_failure(refresh)

    def _launch_failing(self, seen: Seen, live: list[Replica], now: float) -> Failure | None:
        """Launches fail, each for longer than it may. What failed before this wait began tells nothing of it."""
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
        """Something that may heal was tried again and failed again."""
        if failure.patience is None:
            return False
        return failure.patience == 0 or (times > 1 and now - self._failing_since[failure.what] >= failure.patience)

    def _taken_away(self, seen: Seen) -> Failure | None:
        """Replicas were started, and none of them is left."""
        if not self._started:
            return None
        count = len(self._started)
        ended = self._ended(seen)
        why = f": {ended[-1].message}" if ended else ""
        return Failure(
            what=f"{'a replica was' if count == 1 else f'{count} replicas were'} started and taken away again{why}",
            remedy="look at what the container and the boot script wrote",
            instance=list(self._started)[-1],
        )

    def _never_started(self, seen: Seen, within: str) -> Failure:
        group, refresh, wanted = seen.group, seen.refresh, self._awaited.version
        failed = [activity for activity in seen.activities if activity.failed and activity.ends is None]
        if failed:
            return _launch_failure(explain_launch_failure(failed[-1].message))
        if group.suspended:
            return Failure(
                what=f"no instance was started {within}: the group's processes Launch or Terminate are suspended",
                remedy=f"aws autoscaling resume-processes --auto-scaling-group-name {self._awaited.group} --region "
                f"{self._awaited.region}",
            )
        if group.version is not None and group.version != wanted:
            return Failure(
                what=f"the group starts instances of version {group.version} of its launch template, and version "
                f"{wanted} is waited for: something else has changed it",
                remedy="run pulumi up --refresh",
            )
        if refresh is not None and not refresh.going and refresh.status != "Successful":
            return _refresh_failure(refresh)
        return Failure(
            what=f"no instance was started {within}, and Auto Scaling says nothing of why",
            remedy="look at the group's activity in the EC2 console",
        )

    def _ended(self, seen: Seen) -> list[Activity]:
        """Replicas of the wanted version that were taken away in this wait."""
        return [activity for activity in self._new(seen) if activity.ends in self._started and not activity.failed]

    def _new(self, seen: Seen) -> list[Activity]:
        old = self._old_activities or frozenset[str]()
        return [activity for activity in seen.activities if activity.id not in old]


def live_replicas(seen: Seen, version: int) -> list[Replica]:
    """The replicas of a version that are there, or on their way, and stay."""
    return [replica for replica in seen.group.replicas if replica.version == version and not replica.leaving]


def healthy_replicas(seen: Seen) -> list[Replica]:
    """The replicas that serve, of whatever version."""
    healthy = {target.instance for target in seen.targets if target.state == "healthy"}
    return [replica for replica in seen.group.replicas if replica.instance in healthy and not replica.leaving]


def _refresh_failure(refresh: Refresh) -> Failure:
    reason = f": {refresh.reason}" if refresh.reason else ""
    return Failure(what=f"replacing the replicas ended as {refresh.status} at {refresh.percent} %{reason}")


def _launch_failure(failure: LaunchFailure) -> Failure:
    own = "" if failure.words == failure.what else f" (AWS: {failure.words})"
    return Failure(what=f"no instance was started: {failure.what}{own}", remedy=failure.remedy)


def in_time(seconds: float) -> str:
    """`30 minutes`, `90 seconds`."""
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
