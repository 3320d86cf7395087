"""The control plane with a clock that stands still until a test moves it: `python -m tests.cloud.groups.stepping`.

It prints its port. Each line that it reads is a number of AWS's seconds: it moves the clock on by them, then the groups
on once, and prints the time.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field

from cloud.control_plane.clock import Clock
from cloud.control_plane.environment import prepare

SPEED = 10.0
"""AWS's seconds in one of the clock."""
BEGAN = 1_793_534_400.0
"""2026-11-01, 12:00 UTC, a Sunday."""


@dataclass(frozen=True)
class Standing(Clock):
    """A clock that a test moves."""

    time: list[float] = field(default_factory=lambda: [BEGAN], compare=False)

    def now(self) -> float:
        return self.time[0]


def main() -> None:
    prepare(0)
    from cloud.control_plane.alarms import Evaluator
    from cloud.control_plane.groups import Keeper
    from cloud.control_plane.installing import running

    for thread in (Evaluator, Keeper):  # the test moves the groups on, and nobody else
        thread.start = thread.close = lambda self: None
    clock = Standing(SPEED)
    keeper = Keeper(clock)
    with running(port=0, clock=clock, zones=[], first_load_balancer_port=4601, stands_still=True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        for line in sys.stdin:
            clock.time[0] += clock.lasts(float(line))
            keeper.tick()
            print(clock.now(), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
