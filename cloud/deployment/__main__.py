"""`python -m cloud.deployment up|destroy|outputs STACK`: the deployment commands without the `pulumi` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloud.deployment.deployment import Deployment, DeploymentFailed


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if all was done, 1 if something was refused."""
    given = _parser().parse_args(arguments)
    deployment = Deployment(given.folder, dict(os.environ))
    try:
        if given.command == "up":
            secrets = _nested(given.secret)
            outputs = deployment.up(given.stack, _nested(given.config), secrets, on_event=_say)
            _print(outputs, {*secrets, "api_keys"})
        elif given.command == "destroy":
            deployment.destroy(given.stack, on_event=_say)
        else:
            _print(deployment.outputs(given.stack), set())
    except (DeploymentFailed, LookupError) as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud.deployment", description=__doc__)
    parser.add_argument("command", choices=("up", "destroy", "outputs"))
    parser.add_argument("stack")
    folder = Path(".cache/cloud/stacks")
    parser.add_argument("--folder", type=Path, default=folder, help="where the state of stacks lies")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="stack config; dots nest")
    parser.add_argument("--secret", action="append", default=[], metavar="KEY=VALUE", help="the same, as a secret")
    return parser


def _nested(pairs: Sequence[str]) -> dict[str, Any]:
    """`env.TOKEN=x` as `pulumi config set --path` reads it."""
    read: dict[str, Any] = {}
    for pair in pairs:
        path, _, value = pair.partition("=")
        *way, last = path.split(".")
        at = read
        for step in way:
            at = at.setdefault(step, {})
        at[last] = value
    return read


def _print(outputs: Any, hidden: set[str]) -> None:
    print(json.dumps({name: "***" if name in hidden else value for name, value in sorted(outputs.items())}, indent=2))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # one write, because several resources are made at once


if __name__ == "__main__":
    sys.exit(main())
