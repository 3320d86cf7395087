"""`--since TIME`: how far back a command looks."""

from __future__ import annotations

import argparse

from infra.configuration.amounts import read_duration

_LONGEST = 3650 * 86400
"""Seconds: ten years. A longer time can begin before the years that Python and AWS know."""


def add_since(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the flag. Its value is the text that was given, which `read_duration` reads."""
    parser.add_argument(
        "--since",
        type=_duration,
        default=default,
        metavar="TIME",
        help=f"how far back: 90s, 30m, 2h, 7d (default: {default})",
    )


def _duration(text: str) -> str:
    try:
        seconds = read_duration(text)
    except ValueError:
        seconds = 0
    if seconds > _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too long: write at most 3650d, which is 10 years")
    if seconds:
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a time: write a number with a unit, such as 30m or 2h")
