"""The command line of `python -m local`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from infra.configuration.options import add_environment, add_options, given_options, parse

SETTINGS = (
    "gpu",
    "cpu",
    "memory",
    "disk",
    "spot_policy",
    "max_price",
    "regions",
    "instance_types",
    "availability_zones",
    "weight",
)
"""Flags that are stack config, with its words; they change the plan that is shown, as they do on AWS."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the user asked for."""

    configurations: tuple[str, ...]
    """Paths, in the order given."""
    port: int
    """0: any free one."""
    name: str | None
    auth: bool
    upstream: str | None
    docker: bool
    env: tuple[str, ...]
    """Each NAME=value, or NAME to take its value from this environment."""
    settings: tuple[tuple[str, str], ...]
    """(flag without its dashes, text) of `SETTINGS`, those that were given."""


def read_arguments(line: Sequence[str]) -> Arguments:
    """Read a command line; a wrong one ends the process with status 2 and a usage message, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m local",
        allow_abbrev=False,
        description="Serve configurations on this machine, with a small real model standing in for theirs.",
    )
    parser.add_argument("configurations", nargs="+", metavar="CONFIG", help="path of a `type: service` configuration")
    parser.add_argument("--port", type=_port, default=8000, help="port of 127.0.0.1 (default: 8000; 0: any free one)")
    parser.add_argument("--name", help="the run name; default: the configuration's, else one made from its path")
    add_environment(parser)
    parser.add_argument("--auth", action="store_true", help="want an API key, made now and shown once")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--upstream", type=_url, metavar="URL", help="a TGI that runs already, instead of the stand-in"
    )
    instead.add_argument("--docker", action="store_true", help="run the configured image with docker")
    add_options(parser, SETTINGS)
    given = parse(parser, line)
    if given.name is not None and len(given.configurations) > 1:
        parser.error("--name names one run: give one configuration with it, or write a `name` into each")
    return Arguments(
        configurations=tuple(given.configurations),
        port=given.port,
        name=given.name,
        auth=given.auth,
        upstream=given.upstream,
        docker=given.docker,
        env=tuple(given.env),
        settings=tuple((word.replace("_", "-"), value) for word, value in given_options(given, SETTINGS).items()),
    )


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number from 0 to 65535")


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        more = parts.query or parts.fragment or parts.username is not None
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not more
    except ValueError:
        good = False
    if good:
        return text.rstrip("/")
    shown = re.sub("//.*@", "//***@", text)
    raise argparse.ArgumentTypeError(f"{shown!r} is no address: write it as http://127.0.0.1:3000")
