"""The targets of a target group while they serve: their open requests, their health, and which one is next."""

from __future__ import annotations

import random
import time
from asyncio import Task
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from cloud.load_balancer.configuration import TargetGroup
from cloud.load_balancer.health import DRAINING, GONE, NOT_IN_USE, STOPPED, Health, Verdict


class Target:
    """One registered target."""

    def __init__(self, id: str, port: int) -> None:
        self.id = id
        self.port = port
        self.address: str | None = None
        """Where it listens; `None`: the machine has none yet."""
        self.machine = "running"
        """EC2's state of the instance."""
        self.verdict = Verdict()
        self.draining_since: float | None = None
        """On the monotonic clock."""
        self.gone = False
        """Whether its last request has ended after it was deregistered, or the delay is over."""
        self.given = 0
        """How many requests it has had."""
        self._open: set[Task[Any]] = set()

    @property
    def outstanding(self) -> int:
        """The number of requests that it has not answered to the end."""
        return len(self._open)

    @property
    def checkable(self) -> bool:
        """Whether health checks make sense."""
        return self.draining_since is None and self.machine == "running" and self.address is not None

    @property
    def health(self) -> Health:
        if self.gone:
            return GONE
        if self.draining_since is not None:
            return DRAINING
        return STOPPED if self.machine in ("stopping", "stopped") else self.verdict.health

    @contextmanager
    def request(self, task: Task[Any]) -> Generator[None]:
        """Count a request for as long as it lasts. `task` ends with the target."""
        self.given += 1
        self._open.add(task)
        try:
            yield
        finally:
            self._open.discard(task)

    def cut(self) -> None:
        """End its open requests."""
        for task in self._open:
            task.cancel()


class Pool:
    """The targets of one target group."""

    def __init__(self, group: TargetGroup) -> None:
        self.group = group
        self.targets: dict[tuple[str, int], Target] = {}
        self._turn = 0

    @property
    def suffix(self) -> str:
        """How CloudWatch names it: `targetgroup/<name>/<id>`."""
        return self.group.arn.rsplit(":", 1)[1]

    def update(self, group: TargetGroup, instances: Mapping[str, Any]) -> None:
        """Take over what the control plane says now. `instances`: `/cloud/instances` by id."""
        self.group = group
        listed = {(one.id, one.port): one for one in group.targets}
        for key in [key for key in self.targets if key not in listed]:
            self.targets.pop(key).cut()
        for key, one in listed.items():
            target = self.targets.get(key)
            if target is None or (target.draining_since is not None and not one.draining):
                target = self.targets[key] = Target(one.id, one.port)
            if one.draining and target.draining_since is None:
                target.draining_since = time.monotonic()
            instance = instances.get(one.id)
            target.machine = instance["state"] if instance else "running"
            target.address = instance["address"] if instance else None if one.id.startswith("i-") else one.id

    def drain(self, speed: float) -> None:
        """Let go of deregistered targets without open requests, and of all when the delay is over."""
        for target in self.targets.values():
            if target.draining_since is None or target.gone:
                continue
            over = time.monotonic() - target.draining_since >= self.group.deregistration_delay / speed
            if over:
                target.cut()
            target.gone = over or not target.outstanding

    def choose(self) -> Target | None:
        """Return the target of the next request. Without a healthy one, all are tried. `None`: there are no targets."""
        there = [one for one in self.targets.values() if one.health.state in ("healthy", "unhealthy", "initial")]
        able = [one for one in there if one.health.state == "healthy"] or there
        if not able:
            return None
        if self.group.algorithm == "weighted_random":
            return random.choice(able)  # noqa: S311
        self._turn += 1
        if self.group.algorithm == "least_outstanding_requests":
            fewest = min(one.outstanding for one in able)
            able = [one for one in able if one.outstanding == fewest]
        return able[self._turn % len(able)]

    def counted(self, state: str) -> int:
        """Return how many targets are in a state."""
        return sum(1 for one in self.targets.values() if one.health.state == state)

    def cut(self) -> None:
        """End all open requests."""
        for target in self.targets.values():
            target.cut()

    def report(self, *, in_use: bool = True) -> dict[str, Any]:
        """Return the report for `/cloud/target-health`."""
        told = [
            {
                "id": one.id,
                "port": one.port,
                **vars(one.health if in_use or one.draining_since is not None else NOT_IN_USE),
            }
            for one in self.targets.values()
        ]
        return {"target_group": self.group.arn, "targets": told}
