"""The command line of `python -m commands.plan`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra.configuration import Secret
from infra.configuration.examples import configuration_path
from infra.configuration.options import (
    NO_CONFIGURATION,
    add_environment,
    add_options,
    given_options,
    option_words,
    parse,
    with_values,
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the user asks for."""

    configurations: tuple[str, ...]
    """Paths, in the order given."""
    stack: str | None
    """The name of the stack; `None`: the program chooses one."""
    name: str | None
    """The run name; `None`: the configuration or the stack decides."""
    offers: int
    """How many offers to show."""
    settings: Mapping[str, str | Secret] = field(repr=False)
    """Stack config as given, without `configuration`. `env` and `secrets` are secrets."""


def read_arguments(line: Sequence[str], environment: Mapping[str, str]) -> Arguments:
    """Read a command line. A wrong one ends the process with status 2 and a usage message, as argparse does.

    `environment`: `--env NAME` and `--secret NAME` take their values from there.
    """
    parser = argparse.ArgumentParser(
        prog="make plan",
        usage='make plan CONFIG="PATH …" [ARGS="--gpu 24GB --env NAME=value …"]',
        allow_abbrev=False,
        description="Show what configurations would create and cost, without account and network.",
    )
    parser.add_argument(
        "configurations",
        nargs="*",
        type=configuration_path,
        metavar="CONFIG",
        help="path of a configuration, service or gateway, or a name in `examples`; or several",
    )
    parser.add_argument(
        "--name", help="the run name. Default: the name in the configuration, else the name of the stack"
    )
    parser.add_argument(
        "--stack", type=_stack, metavar="NAME", help="name of the stack. Default: gateway, or the run name of a service"
    )
    parser.add_argument("--offers", type=_count, default=3, metavar="N", help="offers to show (default: 3)")
    add_environment(parser)
    words = option_words()
    add_options(parser, words)
    given = parse(parser, line)
    if not given.configurations:
        parser.error(NO_CONFIGURATION.format(command="plan"))
    if len(given.configurations) > 1:
        for option, what in (("name", "run"), ("stack", "stack")):
            if getattr(given, option) is not None:
                parser.error(f"--{option} is the name of one {what}: give one configuration with it")
    settings: dict[str, str | Secret] = {**given_options(given, words)}
    for option, word in (("env", "env"), ("secret", "secrets")):
        entries = with_values(getattr(given, option), environment)
        if missing := next((entry for entry in entries if "=" not in entry), None):
            parser.error(f"argument --{option}: {missing} is not set in this shell; write --{option} {missing}=value")
        if entries:
            settings[word] = Secret(json.dumps(entries))
    return Arguments(
        configurations=tuple(dict.fromkeys(given.configurations)),
        stack=given.stack,
        name=given.name,
        offers=given.offers,
        settings=settings,
    )


def _stack(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a name of a stack: use letters, digits, -, _ and .")


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of offers: give a whole number from 1")
