"""`make shell STACK=…`: open a shell on a replica, by AWS Session Manager."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence

from commands.aws_access import ClientMaker, explained
from commands.pulumi_cli import Pulumi, PulumiError, run_pulumi
from commands.stack_state import StackError, groups_of, read_stack
from infra.configuration.options import parse
from infra.preflight.aws_errors import aws_failures
from infra.readiness import client_maker, clients_from
from infra.readiness.looking import GroupGone, Looker

CONTAINER = "servestack"
"""The name of a replica's container (infra/planning/boot/report.sh)."""
_NEEDED = (
    ("aws", "the AWS command line", "docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"),
    (
        "session-manager-plugin",
        "the Session Manager plugin of the AWS command line",
        "docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
    ),
)
"""The programs that a session needs, and where to get them."""


def main(
    line: Sequence[str],
    *,
    pulumi: Pulumi = run_pulumi,
    clients: ClientMaker = client_maker,
    execute: Callable[[str, list[str]], object] = os.execvp,
) -> int:
    """Become the AWS command line. Otherwise, return 1 if AWS does not answer, 2 if there is no replica to connect to,
    130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="make shell",
        usage='make shell STACK=NAME [ARGS="--replica i-…"]',
        allow_abbrev=False,
        description="Open a shell on a replica, by AWS Session Manager.",
    )
    parser.add_argument("stack", nargs="?", metavar="STACK", help="the stack of a service: name, or org/project/stack")
    parser.add_argument("--replica", metavar="i-…", help="the replica. Default: the only one")
    given = parse(parser, line)
    if given.stack is None:
        parser.error("name the stack of a service: make shell STACK=NAME (make status lists them)")
    try:
        _check_programs()
        print(f"Asking pulumi for the stack {given.stack} …", file=sys.stderr, flush=True)
        state = read_stack(given.stack, pulumi)
        if state.is_gateway:
            raise StackError(f"{state.name} is the stack of a gateway, which has no replicas: name a service's stack")
        groups = [group.awaited for group in groups_of(state)]
        service = groups[0]
        made = clients_from(clients(service.region, state.profile))
        replicas = [replica.instance for group in groups for replica in Looker(group, made).group().replicas]
        instance = _chosen(given.stack, given.replica, replicas)
    except GroupGone:
        print(f"{given.stack} has no Auto Scaling group any more: run pulumi up --refresh", file=sys.stderr)
        return 2
    except (StackError, PulumiError) as error:
        print(error, file=sys.stderr)
        return 2
    except aws_failures() as error:
        print(explained(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    profile = [] if state.profile is None else ["--profile", state.profile]
    inside = f"`sudo docker exec -it {CONTAINER} sh` enters the container, `exit` leaves"
    print(f"Opening a shell on {instance}. There, {inside}.", file=sys.stderr, flush=True)
    execute("aws", ["aws", "ssm", "start-session", "--target", instance, "--region", service.region, *profile])
    return 0


def _check_programs() -> None:
    for program, what, where in _NEEDED:
        if shutil.which(program) is None:
            raise StackError(f"this machine has no {program}: install {what} (https://{where}), then try again")


def _chosen(stack: str, wanted: str | None, replicas: Sequence[str]) -> str:
    listed = ", ".join(replicas)
    if not replicas:
        raise StackError(f"{stack} has no replica now: make status STACK={stack} says why")
    if wanted is None and len(replicas) > 1:
        raise StackError(f"{stack} has {len(replicas)} replicas: {listed}. Choose one: ARGS='--replica {replicas[0]}'")
    if wanted is not None and wanted not in replicas:
        raise StackError(f"{stack} has no replica {wanted}: it has {listed}")
    return wanted or replicas[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
