"""`make usage [STACK=…]`: who sent requests, how many tokens they are, and what they cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commands.aws_access import ClientMaker, explained
from commands.closed_output import discard_output
from commands.lifetimes import HISTORY
from commands.pulumi_cli import Pulumi, PulumiError, run_pulumi
from commands.since import add_since
from commands.stack_state import StackError, function_log, read_stack
from commands.status.local_runs import local_request_lines
from commands.usage.costs import Row, rows
from commands.usage.gateway_runs import find_runs
from commands.usage.insights import QueryFailed, ask, scan_text
from commands.usage.local_lines import grouped, read_lines
from commands.usage.query import MOST_ROWS, QueryTooLong, query_text, read_rows
from commands.usage.report import as_csv, report
from commands.usage.requests import GROUPS, By
from infra.configuration.amounts import read_duration
from infra.configuration.options import parse
from infra.preflight.aws_errors import aws_failures
from infra.readiness import Clock, WallClock, client_maker

_MONTH = 30 * 86400
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the command asks."""

    pulumi: Pulumi
    clients: ClientMaker
    local: Callable[[], tuple[Path, ...]]
    """The files of request lines of every `make local` that serves now."""
    now: Callable[[], datetime]
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The rows of the table."""

    rows: tuple[Row, ...]
    costs: bool
    """Whether they have costs."""


def main(line: Sequence[str], *, means: Means | None = None) -> int:
    """Return 0, or 1 if AWS does not answer, 2 if there is nothing of that name, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="make usage",
        usage='make usage [STACK=NAME] [ARGS="--since 7d --by run|key|model|day --csv"]',
        allow_abbrev=False,
        description="Show who sent requests, how many tokens they are, and what they cost.",
    )
    parser.add_argument(
        "stack",
        nargs="?",
        metavar="STACK",
        help="the stack of a gateway: name, or org/project/stack. Default: make local on this machine",
    )
    add_since(parser, "7d")
    parser.add_argument("--by", choices=GROUPS, default="run", help="what a row is of (default: run)")
    parser.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    given = parse(parser, line)
    asked = means or Means(
        pulumi=run_pulumi,
        clients=client_maker,
        local=local_request_lines,
        now=lambda: datetime.now(UTC),
        clock=WallClock(),
    )
    try:
        usage = _local(given, asked) if given.stack is None else _of_gateway(given, asked)
        if not usage.rows:
            further = "" if read_duration(given.since) >= _MONTH else ". Look further back with ARGS='--since 30d'"
            _say(f"There is no request in the last {given.since}{further}")
        elif given.csv:
            print(as_csv(given.by, usage.rows), end="", flush=True)
        else:
            print(report(given.by, usage.rows, costs=usage.costs), flush=True)
    except (StackError, PulumiError, QueryTooLong) as error:
        _say(str(error))
        return 2
    except QueryFailed as error:
        _say(str(error))
        return 1
    except aws_failures() as error:
        _say(explained(error))
        return 1
    except BrokenPipeError:
        discard_output()
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _local(given: argparse.Namespace, means: Means) -> Usage:
    files = means.local()
    if not files:
        raise StackError(
            "make local does not serve on this machine. For a deployed gateway, name its stack: make usage "
            "STACK=gateway"
        )
    now = means.now()
    read = read_lines(files, now - timedelta(seconds=read_duration(given.since)))
    if read.broken:
        _say(f"Lines that cannot be read, and are not counted: {read.broken}")
    by: By = given.by
    return Usage(rows=rows(by, grouped(read.lines, by), {}, now, now), costs=False)


def _of_gateway(given: argparse.Namespace, means: Means) -> Usage:
    by: By = given.by
    end = means.now()
    begin = end - timedelta(seconds=read_duration(given.since))
    _say(f"Asking pulumi for the stack {given.stack} …")
    gateway = read_stack(given.stack, means.pulumi)
    if gateway.is_service:
        raise StackError(
            f"{gateway.name} is the stack of a service: name the stack of its gateway, which has the request lines of "
            "all its runs"
        )
    log = function_log(gateway)
    kept = HISTORY if log.days is None else min(timedelta(days=log.days), HISTORY)
    if end - begin > kept:
        raise StackError(f"AWS keeps the history of {gateway.name} for {kept.days} days: ask for --since {kept.days}d")
    _say("Asking pulumi for the other stacks, and AWS for their replicas …")
    runs = find_runs(gateway, means.pulumi, means.clients, begin)
    for problem in runs.problems:
        _say(problem)
    shared = list(runs.replicas) if by in ("key", "model") else []
    text = query_text(by, shared)
    _say(f"Asking CloudWatch for the lines from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC in {log.group} …")
    logs = means.clients(log.region, gateway.profile)("logs")
    begins, ends = int(begin.timestamp()), int(end.timestamp())
    answer = ask(logs, log.group, text, begins, ends, means.clock, _progress)
    _say(scan_text(answer.bytes_scanned))
    if len(answer.rows) >= MOST_ROWS:
        _say(f"Only the {MOST_ROWS:,} rows with the most requests are counted. Ask for a shorter time.")
    return Usage(rows=rows(by, read_rows(answer.rows, by, shared), runs.replicas, begin, end), costs=True)


def _progress(lines: int) -> None:
    """Show how far the query is, in one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r  {lines:,} lines read\x1b[K\r", end="", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
