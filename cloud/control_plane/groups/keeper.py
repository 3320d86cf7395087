"""The thread that moves the groups on."""

from __future__ import annotations

import logging
import threading

from moto.autoscaling.models import autoscaling_backends

from cloud.control_plane.changes import CHANGES, WORLD
from cloud.control_plane.clock import Clock
from cloud.control_plane.groups import spot
from cloud.control_plane.groups.backend import LivingGroups

TICK = 0.2
"""Seconds between two looks at the groups."""
LOG = logging.getLogger("cloud.control_plane")


class Keeper:
    """Moves the groups of all regions on. It holds the world while it does, so that calls see whole states."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="groups", daemon=True)
        self._seen: list[object] = []

    def start(self) -> None:
        """Begin to look at the groups."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait for it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def tick(self, now: float | None = None) -> None:
        """Move the groups on once; now: in seconds since 1970."""
        with WORLD:
            backends = [one for _, _, one in autoscaling_backends.iter_backends() if isinstance(one, LivingGroups)]
            moment = self._clock.now() if now is None else now
            spot.interrupt(moment)
            for backend in backends:
                backend.tick(moment)
            seen = [group for backend in backends for group in _state(backend)]
        if seen != self._seen:
            self._seen = seen
            CHANGES.made()

    def _run(self) -> None:
        while not self._ended.wait(TICK):
            try:
                self.tick()
            except Exception:
                LOG.exception("the groups cannot be moved on")


def _state(backend: LivingGroups) -> list[object]:
    """What data planes can see of the groups."""
    return [
        (group.arn, group.desired_capacity, [(one.instance_id, one.lifecycle_state) for one in group.instance_states])
        for group in backend.autoscaling_groups.values()
    ]
