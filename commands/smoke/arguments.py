"""The command line of `python -m commands.smoke`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from infra.configuration import Secret
from infra.configuration.options import parse

LONG_STREAM = 360.0
"""Seconds: above the 5 minutes after which API Gateway ends what is silent, and above every default of 29 and 300 s."""
KEY_VARIABLE = "SERVESTACK_KEY"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What to test. Either `stack` or `url` is set."""

    stack: str | None
    url: str | None
    openai_base_url: str | None
    model: str | None
    key: Secret | None
    health: str | None
    """Path that answers 200 when the service is healthy; `None`: the path of the load balancer's check."""
    no_content: str | None
    """Path of the service that answers 204; `None`: the check is skipped."""
    stream_seconds: float
    """Length of the long stream; 0: the check is left out."""


def read_arguments(line: Sequence[str], environment: Mapping[str, str]) -> Arguments:
    """Read a command line. A wrong one ends the process with status 2 and a usage message, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="make smoke",
        usage='make smoke STACK=NAME [ARGS=…]  or  make smoke ARGS="--url URL [--key KEY] …"',
        allow_abbrev=False,
        description="Test a deployed service from outside, as its users do, and print a table to paste.",
    )
    parser.add_argument(
        "stack", nargs="?", metavar="STACK", help="the stack of the service: name, or org/project/stack"
    )
    parser.add_argument("--url", type=_url, help="address of a service, instead of a stack")
    parser.add_argument(
        "--openai-base-url",
        type=_url,
        metavar="URL",
        help="base URL of the OpenAI API. Default: derived from --url",
    )
    parser.add_argument("--model", help="with --url: the model of the service; - for a service without a model")
    parser.add_argument("--key", help=f"an API key. Default: {KEY_VARIABLE}, else the first key of the gateway")
    parser.add_argument(
        "--health", type=_path, metavar="PATH", help="path that answers 200 when the service is healthy"
    )
    parser.add_argument("--no-content", type=_path, metavar="PATH", help="path of the service that answers 204")
    parser.add_argument(
        "--stream-seconds",
        type=_seconds,
        default=LONG_STREAM,
        metavar="N",
        help=f"length of the long stream (default: {LONG_STREAM:.0f}; 0: none)",
    )
    given = parse(parser, line)
    if (given.stack is None) == (given.url is None):
        parser.error("give either a STACK or a --url")
    for flag in ("openai_base_url", "model"):
        if given.url is None and getattr(given, flag) is not None:
            parser.error(f"--{flag.replace('_', '-')} needs --url: with a STACK it comes from the stack")
    key = given.key or environment.get(KEY_VARIABLE) or None
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        parser.error("the key has characters that a header cannot hold: use ASCII letters, digits and signs")
    return Arguments(
        stack=given.stack,
        url=given.url,
        openai_base_url=given.openai_base_url,
        model=given.model,
        key=None if key is None else Secret(key),
        health=given.health,
        no_content=given.no_content,
        stream_seconds=given.stream_seconds,
    )


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if "@" in text.partition("?")[0]:
        raise argparse.ArgumentTypeError("an address must not hold a user and a password: give a key with --key")
    if good:
        return text.rstrip("/")
    raise argparse.ArgumentTypeError(f"{text!r} is not an address: write one like https://yellow-cat-1.example.com")


def _path(text: str) -> str:
    if text.startswith("/"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a path: a path begins with /")


def _seconds(text: str) -> float:
    if text.replace(".", "", 1).isdecimal() and text.isascii() and float(text) <= 840:
        return float(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a number of seconds from 0 to 840 (the API ends a response after 900)"
    )
