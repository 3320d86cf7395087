"""`make key STACK=… [ARGS=NAME]`: show one API key of a gateway, or the names of all keys with their limits."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from commands.aws_access import ClientMaker, explained
from commands.closed_output import discard_output
from commands.columns import table
from commands.gateway_keys import KeyStatus, expiry, gateway_table, key_status, keys_in, tokens_today
from commands.pulumi_cli import Pulumi, PulumiError, run_pulumi
from commands.stack_state import StackError, read_stack
from infra.configuration.options import parse
from infra.configuration.problem import printable
from infra.planning.table_items import KEY
from infra.preflight.aws_errors import aws_failures
from infra.preflight.registry import registry_items
from infra.readiness import client_maker

HEADER = ("KEY", "RUNS", "EXPIRES", "REQUESTS/MIN", "TOKENS/DAY", "USED TODAY", "AT ONCE")
_NUMBERS = (3, 4, 5, 6)
"""Columns of `HEADER` that are numbers."""


def main(
    line: Sequence[str],
    *,
    pulumi: Pulumi = run_pulumi,
    clients: ClientMaker = client_maker,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Return 0, or 1 if AWS does not answer, 2 if there is no such key or gateway, 130 after Ctrl-C.

    With a name, the only line on stdout is the key.
    """
    parser = argparse.ArgumentParser(
        prog="make key",
        usage="make key STACK=NAME [ARGS=KEY]",
        allow_abbrev=False,
        description="Show one API key of a gateway, or the names of all keys with their limits.",
    )
    parser.add_argument("stack", nargs="?", metavar="STACK", help="the stack of a gateway: name, or org/project/stack")
    parser.add_argument("key", nargs="?", metavar="KEY", help="the name of a key. Default: a table of all names")
    given = parse(parser, line)
    if given.stack is None:
        parser.error("name the stack of a gateway: make key STACK=NAME (make status lists them)")
    try:
        print(f"Asking pulumi for the stack {given.stack} …", file=sys.stderr, flush=True)
        if given.key is None:
            print(_table(given.stack, pulumi, clients, now()), flush=True)
        else:
            print(_key(given.stack, given.key, pulumi), flush=True)
    except (StackError, PulumiError) as error:
        print(error, file=sys.stderr)
        return 2
    except aws_failures() as error:
        print(explained(error), file=sys.stderr)
        return 1
    except BrokenPipeError:
        discard_output()
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _key(stack: str, name: str, pulumi: Pulumi) -> str:
    outputs: Mapping[str, Any] = json.loads(pulumi(["stack", "output", "--json", "--show-secrets", "--stack", stack]))
    keys: Mapping[str, str] | None = outputs.get("api_keys")
    if keys is None:
        raise StackError(
            f"{stack} has no API keys: it is not the stack of a gateway, or no pulumi up has succeeded yet"
        )
    if name not in keys:
        near = difflib.get_close_matches(name, keys, n=1)
        meant = f": did you mean {near[0]}?" if near else "."
        raise StackError(f"{stack} has no key {printable(name)!r}{meant} Its keys are: {', '.join(keys) or 'none'}")
    return keys[name]


def _table(stack: str, pulumi: Pulumi, clients: ClientMaker, now: datetime) -> str:
    state = read_stack(stack, pulumi)
    if not state.is_gateway:
        raise StackError(f"{stack} is not the stack of a gateway: name one that is (make status lists them)")
    name, region = gateway_table(state)
    client = clients(region, state.profile)
    keys = keys_in(registry_items(client("dynamodb"), name, KEY))
    used = tokens_today(client, name, keys, now)
    if not keys:
        return f"{stack} has no keys. Set names: pulumi config set keys alice,bob --stack {stack}"
    return table([HEADER, *(_row(key_status(key, used), now) for key in keys)], right=_NUMBERS)


def _row(key: KeyStatus, now: datetime) -> tuple[str, ...]:
    numbers = (key.requests_per_minute, key.tokens_per_day, key.tokens_today, key.max_concurrent)
    runs = "all" if key.runs is None else ", ".join(map(printable, key.runs))
    return printable(key.name), runs, expiry(key, now), *("-" if one is None else f"{one:,}" for one in numbers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
