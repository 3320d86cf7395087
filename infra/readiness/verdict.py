"""From what is seen to a verdict: it serves, it never will, or neither yet. Time is a number that is handed in."""

from __future__ import annotations

from dataclasses import dataclass

from infra.readiness.awaited import Awaited
from infra.readiness.launch_failures import LaunchFailure, explain_launch_failure
from infra.readiness.seen import Replica, Seen

_NOTHING_THERE = ("Target.FailedHealthChecks", "Target.Timeout")


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
    """Judges one look after another; what it remembers is when things began."""

    def __init__(self, awaited: Awaited, began: float) -> None:
        self._awaited = awaited
        self._failing_since: dict[str, float] = {}
        self._old_activities: frozenset[str] | None = None
        self._followed: str | None = None
        self._deadline = began + awaited.boot_timeout
        self._started = False

    def is_late(self, now: float) -> bool:
        """Whether the time of a replica is over: it counts from the first one's start, or from the beginning."""
        return now >= self._deadline

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
        live = [r for r in seen.group.replicas if r.version == self._awaited.version and not r.leaving]
        if live and not self._started:
            self._started = True
            self._deadline = now + self._awaited.boot_timeout
        return self._given_up(seen, live) or self._refresh_ended(seen) or self._launch_failing(seen, live, now)

    def lateness(self, seen: Seen | None, health_check: str) -> Failure:
        """Why it did not serve in time, from the most to the least telling."""
        within = f"within {_minutes(self._awaited.boot_timeout)}"
        if seen is None:
            return Failure(what=f"AWS did not answer {within}")
        live = [r for r in seen.group.replicas if r.version == self._awaited.version and not r.leaving]
        for state in seen.states:
            if state.cause is not None and state.instance in {replica.instance for replica in live}:
                return Failure(what=state.cause, instance=state.instance, step=state.step)
        if not live:
            return _nothing_started(seen, within)
        steps = {state.instance: state.step for state in seen.states}
        replica = live[0]
        step = steps.get(replica.instance)
        for target in seen.targets:
            if target.instance == replica.instance and target.state == "unhealthy":
                return Failure(
                    what=self._unhealthy(target.reason, target.description, within, health_check),
                    remedy="look at what the container wrote; a model that takes longer needs a larger boot_timeout",
                    instance=replica.instance,
                    step=step,
                )
        what = f"no replica became healthy {within}"
        if step is None:
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
                f"nothing answers on {port} {within} ({description or reason}): `port` in the configuration is "
                "the one that the container listens on, on every address (0.0.0.0)"
            )
        return f"the health check fails {within}: {health_check}; {description or reason}"

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
            self._followed = refresh.id
            return None
        if refresh.id != self._followed or refresh.status == "Successful":
            return None
        reason = f": {refresh.reason}" if refresh.reason else ""
        return Failure(what=f"replacing the replicas ended as {refresh.status} at {refresh.percent} %{reason}")

    def _launch_failing(self, seen: Seen, live: list[Replica], now: float) -> Failure | None:
        """Launches fail, each for longer than it may. What failed before this wait began tells nothing of it."""
        if self._old_activities is None:
            self._old_activities = frozenset(activity.id for activity in seen.activities)
        if live:
            self._failing_since.clear()
            return None
        failures = [
            explain_launch_failure(activity.message)
            for activity in seen.activities
            if activity.failed and not activity.ends and activity.id not in self._old_activities
        ]
        for failure in failures:
            self._failing_since.setdefault(failure.what, now)
        if not failures or not all(self._is_permanent(failure, now) for failure in failures):
            return None
        return _launch_failure(failures[-1])

    def _is_permanent(self, failure: LaunchFailure, now: float) -> bool:
        return failure.patience is not None and now - self._failing_since[failure.what] >= failure.patience


def healthy_replicas(seen: Seen) -> list[Replica]:
    """The replicas that serve, of whatever version."""
    healthy = {target.instance for target in seen.targets if target.state == "healthy"}
    return [replica for replica in seen.group.replicas if replica.instance in healthy and not replica.leaving]


def _nothing_started(seen: Seen, within: str) -> Failure:
    failed = [activity for activity in seen.activities if activity.failed and not activity.ends]
    if not failed:
        return Failure(
            what=f"no instance was started {within}, and Auto Scaling says nothing of why",
            remedy="look at the group's activity in the EC2 console",
        )
    return _launch_failure(explain_launch_failure(failed[-1].message))


def _launch_failure(failure: LaunchFailure) -> Failure:
    own = "" if failure.words == failure.what else f" (AWS: {failure.words})"
    return Failure(what=f"no instance was started: {failure.what}{own}", remedy=failure.remedy)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
