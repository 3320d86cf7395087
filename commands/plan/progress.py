"""Says what is being done, once it takes long enough to be wondered about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

PATIENCE = 2.0
"""Seconds in which nothing is said."""


class Progress:
    """A context in which `stage` says what is being done; the first `patience` seconds of it in silence."""

    def __init__(self, say: Callable[[str], None], patience: float = PATIENCE) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._stage = ""
        self._speaking = False
        self._timer = threading.Timer(patience, self._speak)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def join(self) -> None:
        """Wait until `patience` is over."""
        self._timer.join()

    def stage(self, what: str) -> None:
        """From now on, `what` is being done."""
        with self._lock:
            self._stage = what
            if self._speaking:
                self._say(f"{what} …")

    def _speak(self) -> None:
        with self._lock:
            self._speaking = True
            if self._stage:
                self._say(f"{self._stage} …")
