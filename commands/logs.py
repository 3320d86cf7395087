"""`make logs STACK=…`: show what the replicas of a service wrote, or what a gateway wrote."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from commands.aws_access import ClientMaker, explained
from commands.closed_output import discard_output
from commands.pulumi_cli import Pulumi, PulumiError, run_pulumi
from commands.since import add_since
from commands.stack_state import StackError, StackState, function_log, read_stack, service_of
from infra.configuration.amounts import read_duration
from infra.configuration.names import PROJECT
from infra.configuration.options import parse
from infra.preflight.aws_errors import aws_failures, collected, error_code, in_words, kind_of
from infra.readiness import Clock, WallClock, client_maker

POLL = 3.0
"""Seconds between two questions while following. AWS allows an account 5 to 25 a second, depending on the region
(AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html)."""
LATE = 30_000
"""Milliseconds that a line can arrive after a newer one of another stream."""
FIGURES = "/figures"
"""The end of the names of streams that are not shown: they have JSON for CloudWatch, a line a minute."""
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""A command to a terminal: a colour, a move of the cursor."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log group of CloudWatch, and which of its lines to show."""

    group: str
    region: str
    profile: str | None
    prefix: str | None = None
    """The first characters of the names of its streams; `None`: all streams."""
    suffix: str | None = None
    """The last characters of the names of its streams; `None`: all streams."""
    named: bool
    """Whether a line begins with the name of its stream."""


def main(
    line: Sequence[str],
    *,
    pulumi: Pulumi = run_pulumi,
    clients: ClientMaker = client_maker,
    clock: Clock | None = None,
    wall: Callable[[], float] = time.time,
) -> int:
    """Return 0, or 1 if AWS does not show the log, 2 if there is no such log, 130 after Ctrl-C."""
    given = _read_arguments(line)
    try:
        _say(f"Asking pulumi for the stack {given.stack} …")
        log = _find_log(given, pulumi)
        _say(f"{log.group}, the last {given.since} in UTC{', then what follows (Ctrl-C ends this)' * given.follow}:")
        logs = clients(log.region, log.profile)("logs")
        begin = int((wall() - read_duration(given.since)) * 1000)
        shown = _show(logs, log, begin, clock or WallClock() if given.follow else None)
        if not shown:
            _say(f"There is no line. Look further back with ARGS='--since {'7d' if given.since == '1d' else '1d'}'")
    except (StackError, PulumiError) as error:
        _say(str(error))
        return 2
    except aws_failures() as error:
        _say(explained(error))
        return 1
    except BrokenPipeError:
        discard_output()
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _read_arguments(line: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make logs",
        usage='make logs STACK=NAME [ARGS="--follow --since 1h --replica i-… --boot|--container|--gateway"]',
        allow_abbrev=False,
        description="Show what the replicas of a service wrote, or what a gateway wrote.",
    )
    parser.add_argument("stack", nargs="?", metavar="STACK", help="a stack: name, or org/project/stack")
    parser.add_argument("--follow", action="store_true", help="go on with new lines until Ctrl-C")
    add_since(parser, "1h")
    parser.add_argument("--replica", type=_instance, metavar="i-…", help="only this replica (make status lists them)")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--boot", action="store_true", help="only the boot script")
    part.add_argument("--container", action="store_true", help="only the container")
    part.add_argument("--gateway", action="store_true", help="the gateway of the service instead of its replicas")
    given = parse(parser, line)
    if given.stack is None:
        parser.error("name a stack: make logs STACK=NAME (make status lists them)")
    if given.gateway and given.replica:
        parser.error("--gateway and --replica exclude each other: a gateway has no replicas")
    return given


def _instance(text: str) -> str:
    if re.fullmatch(r"i-[0-9a-f]+", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not an instance: write its id, such as i-0123456789abcdef0")


def _find_log(given: argparse.Namespace, pulumi: Pulumi) -> Log:
    state = read_stack(given.stack, pulumi)
    if state.is_gateway:
        if given.replica or given.boot or given.container:
            raise StackError(
                f"{state.name} is the stack of a gateway, which has no replicas: name the stack of a service, or leave "
                "out --replica, --boot and --container"
            )
        return _gateway_log(state)
    service = service_of(state)
    if given.gateway:
        return _gateway_log(read_stack(_gateway_stack(state), pulumi))
    return Log(
        group=service.log_group,
        region=service.region,
        profile=state.profile,
        prefix=f"{given.replica}/" if given.replica else None,
        suffix="/boot" if given.boot else "/container" if given.container else None,
        named=True,
    )


def _gateway_log(state: StackState) -> Log:
    log = function_log(state)
    return Log(group=log.group, region=log.region, profile=state.profile, named=False)


def _gateway_stack(service: StackState) -> str:
    """Return the stack of a service's gateway. A name alone means a stack beside the service's."""
    from infra.stack import DEFAULT_GATEWAY

    gateway = service.setting(f"{PROJECT}:gateway") or DEFAULT_GATEWAY
    before = "" if "/" in gateway else service.name.rpartition("/")[0]
    return f"{before}/{gateway}" if before else gateway


def _show(logs: Any, log: Log, begin: int, clock: Clock | None) -> bool:
    """Print the lines since `begin`, in milliseconds since 1970, and return whether there were any. With a clock, go on
    with new lines."""
    shown: dict[str, int] = {}
    while True:
        try:
            for event in _events(logs, log, begin):
                if event["eventId"] not in shown:
                    shown[event["eventId"]] = event["timestamp"]
                    print(_line(log, event))
            sys.stdout.flush()
        except aws_failures() as error:
            if error_code(error) == "ResourceNotFoundException":
                raise StackError(
                    f"the log group {log.group} does not exist in {log.region}: run pulumi up --refresh"
                ) from None
            if clock is None or kind_of(error) != "passing":
                raise
            _say(f"AWS does not answer at the moment ({in_words(error)}); trying again")
        if clock is None:
            return bool(shown)
        begin = max(begin, max(shown.values(), default=begin) - LATE)
        shown = {event: at for event, at in shown.items() if at >= begin}
        clock.sleep(POLL)


def _events(logs: Any, log: Log, begin: int) -> Iterator[Any]:
    asked: dict[str, Any] = {"logGroupName": log.group, "startTime": begin}
    if log.prefix is not None:
        asked["logStreamNamePrefix"] = log.prefix
    found = collected(logs.filter_log_events, "events", token="nextToken", **asked)  # noqa: S106
    for event in found:
        name: str = event["logStreamName"]
        if name.startswith(log.prefix or "") and name.endswith(log.suffix or "") and not name.endswith(FIGURES):
            yield event


def _line(log: Log, event: Any) -> str:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return " ".join([at, *([event["logStreamName"]] if log.named else []), _for_terminal(event["message"])])


def _for_terminal(message: str) -> str:
    """Return a message without commands to the terminal. Of a progress bar that wrote over itself, the last state
    stays."""
    last = _SEQUENCE.sub("", message).rstrip().rpartition("\r")[2]
    return "".join(character for character in last if character.isprintable() or character in "\t\n")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
