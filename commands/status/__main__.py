"""`make status [STACK=…]`: what runs, how it is, and what it costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from commands.closed_output import discard_output
from commands.pulumi_cli import run_pulumi
from commands.status.collecting import Means, Status, collect
from commands.status.local_runs import local_runs
from commands.status.report import report
from infra.configuration.options import parse
from infra.readiness import Clock, WallClock, client_maker

INTERVAL = 10.0
"""Seconds between two looks with `--watch`."""
_CLEAR = "\x1b[H\x1b[2J"
"""Moves a terminal's cursor to the top and clears the screen."""


def main(line: Sequence[str], *, means: Means | None = None, clock: Clock | None = None) -> int:
    """Return 0, or 1 if the status of something is not known, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="make status",
        usage='make status [STACK=NAME] [ARGS="--watch --json"]',
        allow_abbrev=False,
        description="Show what runs, how it is, and what it costs.",
    )
    parser.add_argument(
        "stack",
        nargs="?",
        metavar="STACK",
        help="a stack: name, or org/project/stack. Default: all stacks of the project, and make local",
    )
    parser.add_argument("--watch", action="store_true", help=f"look again every {INTERVAL:g} seconds until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
    given = parse(parser, line)
    asked = means or Means(pulumi=run_pulumi, clients=client_maker, local=local_runs, now=lambda: datetime.now(UTC))
    waits = clock or WallClock()
    try:
        if not given.json:
            which = "the stacks" if given.stack is None else f"the stack {given.stack}"
            print(f"Asking pulumi for {which}, then AWS …", file=sys.stderr, flush=True)
        while True:
            status = collect(given.stack, asked)
            _print(status, as_json=given.json, again=given.watch)
            if not given.watch:
                return 1 if _is_unknown(status) else 0
            waits.sleep(INTERVAL)
    except BrokenPipeError:
        discard_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _print(status: Status, *, as_json: bool, again: bool) -> None:
    if as_json:
        print(msgspec.json.encode(status).decode(), flush=True)
        return
    before = _CLEAR if again and sys.stdout.isatty() else ""
    at = f"{status.at:%Y-%m-%d %H:%M:%S} UTC\n\n" if again else ""
    print(f"{before}{at}{report(status)}", end="\n\n" if again else "\n", flush=True)


def _is_unknown(status: Status) -> bool:
    """Whether something is not known. A person who only uses `make local` needs no pulumi."""
    return any(one.stack is not None or not status.local for one in status.unknown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
