"""The control plane with groups and alarms, and a clock that a test moves: `python -m tests.cloud.alarms.stepping`.

It prints its port and the time. Each line that it reads is a number of AWS's seconds: it moves the clock on by them,
then the groups and the alarms on once, and prints the time.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field

from cloud.control_plane.clock import Clock
from cloud.control_plane.environment import prepare

SPEED = 10.0
"""AWS's seconds in one of the clock."""
MINUTE = 60 / SPEED
BEGAN = time.time() // MINUTE * MINUTE
"""Log lines are taken only if they are of this time."""


@dataclass(frozen=True)
class Standing(Clock):
    """A clock that a test moves."""

    time: list[float] = field(default_factory=lambda: [BEGAN], compare=False)

    def now(self) -> float:
        return self.time[0]


def main() -> None:
    prepare(0)
    from cloud.control_plane import alarms, groups
    from cloud.control_plane.installing import running

    clock = Standing(SPEED)
    keeper, evaluator = groups.Keeper(clock), alarms.Evaluator(clock)
    with running(port=0, clock=clock, zones=[], first_load_balancer_port=4601, stands_still=True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, clock.now(), flush=True)
        for line in sys.stdin:
            clock.time[0] += clock.lasts(float(line))
            keeper.tick()
            evaluator.tick()
            keeper.tick()
            print(clock.now(), flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()
