"""The changes between two looks, as lines for a person. A line is not repeated while nothing changes."""

from __future__ import annotations

from collections.abc import Iterator

from infra.readiness.launch_failures import explain_launch_failure
from infra.readiness.seen import Replica, Seen, State, Target


def changes(before: Seen | None, now: Seen, version: int) -> Iterator[str]:
    """Yield lines about replicas of the expected version, failed launches, the refresh, and unanswered questions."""
    yield from _launches(before, now)
    known = {replica.instance for replica in _wanted(before, version)}
    wanted = _wanted(now, version)
    for replica in wanted:
        if replica.instance not in known:
            yield f"{replica.instance} ({replica.type}, {replica.zone}): started"
    states = {state.instance: state_text(state) for state in before.states} if before else {}
    targets = {target.instance: target_text(target) for target in before.targets} if before else {}
    here = {replica.instance for replica in wanted}
    for state in now.states:
        text = state_text(state)
        if state.instance in here and text != states.get(state.instance):
            yield f"{state.instance}: {text}"
    for target in now.targets:
        text = target_text(target)
        if target.instance in here and text is not None and text != targets.get(target.instance):
            yield f"{target.instance}: {text}"
    yield from _departures(before, now)
    yield from _refresh(before, now)
    for question in now.unanswered:
        if before is None or question not in before.unanswered:
            yield f"AWS does not answer {question}; the wait continues without the answer"


def _wanted(seen: Seen | None, version: int) -> list[Replica]:
    return [] if seen is None else [replica for replica in seen.group.replicas if replica.version == version]


def state_text(state: State) -> str:
    """Return what a replica says about itself: its step, or why it stopped."""
    if state.cause is not None:
        return f"stopped: {state.cause}" if state.final else f"{state.step}: {state.cause}"
    return state.step if state.percent is None else f"{state.step}, {state.percent} %"


def target_text(target: Target) -> str | None:
    """Return what the load balancer says about a replica; `None`: it did not check it yet, or does not check it."""
    if target.state == "healthy":
        return "healthy"
    if target.state == "unhealthy":
        return f"not healthy yet ({target.description})"
    return None


def _launches(before: Seen | None, now: Seen) -> Iterator[str]:
    if before is None:
        return
    known = {activity.id for activity in before.activities}
    said: set[str] = {explain_launch_failure(activity.message).words for activity in before.activities[-1:]}
    for activity in now.activities:
        if activity.id in known or not activity.failed or activity.ends is not None:
            continue
        failure = explain_launch_failure(activity.message)
        if failure.words not in said:
            said.add(failure.words)
            yield f"{failure.sentence}; Auto Scaling tries again"


def _departures(before: Seen | None, now: Seen) -> Iterator[str]:
    if before is None:
        return
    known = {activity.id for activity in before.activities}
    for activity in now.activities:
        if activity.id not in known and activity.ends is not None and not activity.failed:
            yield f"{activity.ends} is removed: {activity.message}"


def _refresh(before: Seen | None, now: Seen) -> Iterator[str]:
    refresh, last = now.refresh, before.refresh if before else None
    if refresh is None or refresh == last:
        return
    if refresh.going or (last is not None and last.going and last.id == refresh.id):
        reason = f": {refresh.reason}" if refresh.reason else ""
        yield f"roll: {refresh.status}, {refresh.percent} %{reason}"
