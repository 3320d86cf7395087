"""The command lines that it knows. They are those of pulumi, with the same words and flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

_NOT_HERE = (
    "This `pulumi` comes with make cloud, and knows only the commands of the README. "
    "Pulumi itself: pulumi.com/docs/install"
)


def read_arguments(line: Sequence[str]) -> argparse.Namespace:
    """Read a command line. `command` and, for config and stack, `action` say what is asked for.

    A wrong one ends the process with status 2 and a usage message, as argparse does.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-s", "--stack", help="the stack. Default: the selected one")
    common.add_argument("--non-interactive", action="store_true", help="nothing is asked for here in any case")
    common.add_argument("--color", help="has no effect here")
    parser = argparse.ArgumentParser(prog="pulumi", allow_abbrev=False, epilog=_NOT_HERE)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help, parents=[common], allow_abbrev=False)

    command("version", "say which pulumi this is")
    login = command("login", "has no effect here: the state is in the cloud's folder")
    login.add_argument("url", nargs="?")
    login.add_argument("--local", action="store_true")
    for name, help in (
        ("up", "create or update the resources of a stack"),
        ("destroy", "delete the resources of a stack"),
    ):
        deploying = command(name, help)
        deploying.add_argument("-y", "--yes", action="store_true", help="do not ask")
        deploying.add_argument("-f", "--skip-preview", action="store_true", help="there is no preview here in any case")
    _config(command("config", "show or change the configuration of a stack"), common)
    _stack(command("stack", "manage stacks"), common)
    return parser.parse_args(line)


def _config(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    _shown(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name in ("set", "get", "rm"):
        action = actions.add_parser(name, parents=[common], allow_abbrev=False)
        action.add_argument("--path", action="store_true", help="the key is a path, such as env.NAME")
        action.add_argument("key")
        if name == "set":
            action.add_argument("value", nargs="?", help="default: standard input")
            action.add_argument("--secret", action="store_true")
            action.add_argument("--plaintext", action="store_true")


def _stack(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name in ("init", "select", "rm"):
        action = actions.add_parser(name, parents=[common], allow_abbrev=False)
        action.add_argument("name", nargs="?")
        action.add_argument("-y", "--yes", action="store_true")
    for name in ("ls", "export", "output"):
        action = actions.add_parser(name, parents=[common], allow_abbrev=False)
        _shown(action)
        if name == "output":
            action.add_argument("name", nargs="?")


def _shown(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true")
    parser.add_argument("--show-secrets", action="store_true")
