"""Counts what changed, so that data planes read again only then."""

from __future__ import annotations

import threading

WORLD = threading.RLock()
"""Held by every call and by every thread that moves things on, because moto has no locks of its own."""


class Changes:
    """A number that grows with every call that changed something."""

    def __init__(self) -> None:
        self._version = 1
        self._grown = threading.Condition()

    def made(self) -> None:
        """Something changed."""
        with self._grown:
            self._version += 1
            self._grown.notify_all()

    def after(self, version: int, *, within: float) -> int:
        """Return the version, as soon as it is above `version`, at the latest after `within` seconds."""
        with self._grown:
            self._grown.wait_for(lambda: self._version > version, within)
            return self._version


CHANGES = Changes()
