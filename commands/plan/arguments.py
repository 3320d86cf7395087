"""The command line of `python -m commands.plan`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra.configuration import Secret
from infra.configuration.options import add_environment, add_options, given_options, option_words, parse


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What is to be planned."""

    configuration: str
    """Its path."""
    stack: str | None
    """The stack's name; `None`: one is chosen."""
    offers: int
    """How many are shown."""
    settings: Mapping[str, str | Secret] = field(repr=False)
    """Stack config as it was given, `configuration` left out; `env` is a secret, as tokens are."""


def read_arguments(line: Sequence[str], environment: Mapping[str, str]) -> Arguments:
    """Read a command line; a wrong one ends the process with status 2 and a usage message, as argparse does.

    `environment`: where `--env NAME` takes its value from.
    """
    parser = argparse.ArgumentParser(
        prog="make plan",
        usage='make plan CONFIG=PATH [ARGS="--gpu 24GB --env NAME=value …"]',
        allow_abbrev=False,
        description="Show what a configuration would create and cost, without account and network.",
    )
    parser.add_argument("configuration", metavar="CONFIG", help="path of a configuration, service or gateway")
    parser.add_argument(
        "--stack", type=_stack, metavar="NAME", help="name of the stack, which is a run's name where it has none"
    )
    parser.add_argument("--offers", type=_count, default=3, metavar="N", help="offers to show (default: 3)")
    add_environment(parser)
    words = option_words()
    add_options(parser, words)
    given = parse(parser, line)
    settings: dict[str, str | Secret] = {**given_options(given, words)}
    if given.env:
        for name in given.env:
            if "=" not in name and name not in environment:
                parser.error(f"argument --env: {name} is not set in this shell; write --env {name}=value")
        entries = [entry if "=" in entry else f"{entry}={environment[entry]}" for entry in given.env]
        settings["env"] = Secret(json.dumps(entries))
    return Arguments(configuration=given.configuration, stack=given.stack, offers=given.offers, settings=settings)


def _stack(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no stack's name: letters, digits, -, _ and .")


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of offers: a whole number from 1")
