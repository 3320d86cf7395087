"""A machine's life under systemd: the unit is started again when systemd would do it. The clock is its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.boot.machine import BEGAN, NEVER, Machine

RESTARTED_ON = 75
"""The status of a unit that systemd starts again. It does not after 78 (RestartPreventExitStatus) and 0."""
LIFE = Path(__file__).with_name("life.sh")
ANSWERS = {
    "sleep": 'pass "$1"',
    "curl-health": "check",
    "life-curl": 'check_life "$@"',
    "docker-run": "begin",
    "docker-wait": "wait_for_end",
}


@dataclass(frozen=True, kw_only=True)
class Container:
    """The life of one container, in seconds from its start; `None`: never."""

    loads: int | None = 60
    """When it begins to answer."""
    hangs: int | None = None
    """From when on it answers no check."""
    ends: int | None = None
    status: int = 1
    delay: int = 0
    """Seconds until an answer."""

    def line(self) -> str:
        times = ("-" if time is None else str(time) for time in (self.loads, self.hangs, self.ends))
        return " ".join((*times, str(self.status), str(self.delay)))


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What happened in the life of a machine."""

    exits: tuple[int, ...]
    """The statuses of the unit, once for each time that it ended."""
    containers: int
    """How many containers were started."""
    replaced: int | None
    """When the group was told to replace the instance, in seconds from the start; `None`: it was not."""
    log: tuple[str, ...]
    """The lines from the first `serving` on, or all of them."""
    item: tuple[str, str | None]
    """Step and cause of the last state item."""


def live(boot: Machine, containers: Sequence[Container], *, seconds: int) -> Lived:
    """Run the unit for that time. The last of `containers` is also the life of all later ones."""
    (boot.root / "lives").write_text("".join(f"{one.line()}\n" for one in containers))
    (boot.root / "until").write_text(str(BEGAN + seconds))
    work = boot.file_system / "run/servestack"
    work.mkdir(parents=True)
    (work / "due").write_text(str(NEVER))  # the figures, which take most of the time
    for key, answer in ANSWERS.items():
        boot.answer(key, f"source {LIFE}\n{answer}")
    exits: list[int] = []
    over = boot.root / "over"
    while not exits or exits[-1] == RESTARTED_ON:
        process = boot.start("serve")
        boot.wait_until(lambda one=process: one.poll() is not None or over.exists())
        boot.end()  # as systemd does with what the unit leaves
        if over.exists():
            break
        exits.append(process.returncode)
    lines = [json.loads(call.arguments[-1])[0] for call in boot.calls("aws-logs-put-log-events")]
    log = [(line["timestamp"] // 1000 - BEGAN, line["message"]) for line in lines]
    messages = [message for _, message in log]
    told = boot.calls("aws-autoscaling-set-instance-health")
    item = json.loads(boot.calls("aws-dynamodb-put-item")[-1].arguments[-1])
    return Lived(
        exits=tuple(exits),
        containers=len(boot.calls("docker-run")),
        replaced=log[-1][0] if told else None,
        log=tuple(messages[messages.index("serving") :] if "serving" in messages else messages),
        item=(item["step"]["S"], item.get("cause", {}).get("S")),
    )
