"""`make wait STACK=…`: wait until a service serves, or say why it does not, as `pulumi up` does at its end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from commands.pulumi_cli import Pulumi, PulumiError, run_pulumi
from commands.stack_state import StackError, StackState, groups_of, read_stack
from infra.readiness import Awaited, Clients, Clock, NotServingError, WallClock, aws_clients, wait_until_serving


def main(
    arguments: Sequence[str],
    *,
    pulumi: Pulumi | None = None,
    clients: Callable[[str, str | None], Clients] = aws_clients,
    clock: Clock | None = None,
) -> int:
    """Return 0 if the service serves, 1 if it does not, and 2 if there is nothing to wait for."""
    parser = argparse.ArgumentParser(prog="make wait", description="Waits until a service serves.")
    parser.add_argument("stack", nargs="?", help="the service's stack: name, or org/project/stack")
    stack: str | None = parser.parse_args(arguments).stack
    if stack is None:
        parser.error("name the stack of a service: make wait STACK=NAME (pulumi stack ls lists them)")
    ask = pulumi or run_pulumi
    try:
        _say(f"Asking pulumi for the stack {stack} …")
        state = read_stack(stack, ask)
        for awaited in awaited_of(state):
            made = clients(awaited.region, state.profile)
            wait_until_serving(awaited, made, clock=clock or WallClock(), say=_say)
    except (StackError, PulumiError) as error:
        print(error, file=sys.stderr)
        return 2
    except NotServingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def awaited_of(state: StackState) -> tuple[Awaited, ...]:
    """Return what to wait for: each group that always has replicas.

    Raises:
        StackError: the stack is not of a service, or is not deployed yet, or has no replicas to wait for.
    """
    if state.is_gateway:
        raise StackError(
            f"{state.name} is the stack of a gateway, which has no replicas to wait for: name the stack of a service"
        )
    awaited = tuple(group.awaited for group in groups_of(state) if group.awaited.minimum)
    if not awaited:
        raise StackError(
            f"{state.name} can have no replica at all (replicas: 0.., or a schedule that has not started it), so there "
            "is nothing to wait for. If its configuration has more, its group was stopped and pulumi refresh has noted "
            f"that: run pulumi up --stack {state.name}"
        )
    return awaited


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
