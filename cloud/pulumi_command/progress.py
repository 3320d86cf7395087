"""What a deployment prints while it runs: each event, what it waits for when nothing happens, and counts at the end."""

from __future__ import annotations

import re
import textwrap
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

PATIENCE = 10.0
"""Seconds without an event until it says what is being waited for."""
_EVENT = re.compile(r"(creat|updat|delet|replac|fail)(ing|ed) ([A-Z]\w* \S+)")
_SIGNS = {"creat": ("+", "created"), "updat": ("~", "updated"), "delet": ("-", "deleted")}


class Progress:
    """Prints events, as a context for the time of the deployment."""

    def __init__(self, title: str, patience: float = PATIENCE) -> None:
        print(f"{title}:", flush=True)
        self._began = self._heard = time.monotonic()
        self._patience = patience
        self._counts: Counter[str] = Counter()
        self._begun: dict[str, float] = {}
        """What is being made, changed or deleted, and since when."""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watching.join()

    def __call__(self, event: str) -> None:
        """Print an event, which can have several lines. It is called by several threads."""
        with self._lock:
            self._heard = time.monotonic()
            print(textwrap.indent(event, "  "), flush=True)
            if found := _EVENT.match(event):
                what, state, name = found.groups()
                if state == "ing":
                    self._begun[name] = self._heard
                else:
                    self._begun.pop(name, None)
                    self._counts[what] += 1

    def summarize(self) -> None:
        """Print how many resources were created, updated and deleted, and the time."""
        print("Resources:")
        for what, (sign, word) in _SIGNS.items():
            if self._counts[what]:
                print(f"    {sign} {self._counts[what]} {word}")
        print(f"Duration: {time.monotonic() - self._began:.0f}s")

    def _watch(self) -> None:
        while not self._ended.wait(self._patience):
            with self._lock:
                now = time.monotonic()
                if now - self._heard < self._patience or not self._begun:
                    continue
                name, since = min(self._begun.items(), key=lambda one: one[1])
                others = f" and {len(self._begun) - 1} more" if len(self._begun) > 1 else ""
                print(f"  still waiting for {name}{others}, after {now - since:.0f} s …", flush=True)
