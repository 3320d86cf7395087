"""The command line of `make local`, which runs `python -m local`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from infra.configuration import ConfigurationError, read_settings
from infra.configuration.examples import configuration_path
from infra.configuration.keys import KeyOptions
from infra.configuration.options import NO_CONFIGURATION, add_environment, add_options, given_options, parse

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
    "base_image",
    "weight",
)
"""Flags with the words of stack config. They change the plan that is shown, as they do on AWS."""
LIMITS = ("expires", "requests_per_minute", "tokens_per_day", "max_concurrent")
"""Flags with the words of stack config for a key: the options of the key of `--auth`."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the user asks for."""

    configurations: tuple[str, ...]
    """Paths, in the order given."""
    port: int
    """0: any free port."""
    name: str | None
    auth: bool
    upstream: str | None
    docker: bool
    stand_in: str | None
    """A GGUF file, a repository of the Hub, or `default`."""
    env: tuple[str, ...]
    """Each is NAME=value, or NAME to take the value from this environment."""
    secrets: tuple[str, ...] = field(repr=False)
    """As `env`."""
    settings: tuple[tuple[str, str], ...]
    """The given flags of `SETTINGS`: (flag without its dashes, text)."""
    limits: tuple[tuple[str, int], ...] = ()
    """The given flags of `LIMITS`: (word, number). `expires` is in seconds since 1970."""


def read_arguments(line: Sequence[str]) -> Arguments:
    """Read a command line. A wrong one ends the process with status 2 and a usage message, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="make local",
        usage='make local CONFIG="PATH …" [PORT=8000] [ARGS="--gpu 24GB --env NAME=value …"]',
        allow_abbrev=False,
        description="Serve configurations on this machine. A small real model stands in for the configured ones.",
    )
    parser.add_argument(
        "configurations",
        nargs="*",
        type=configuration_path,
        metavar="CONFIG",
        help="path of a `type: service` configuration, or a name in `examples`; or several",
    )
    parser.add_argument("--port", type=_port, default=8000, help="port of 127.0.0.1 (default: 8000; 0: any free port)")
    parser.add_argument(
        "--name", help="the run name. Default: `name` in the configuration, else one made from its path"
    )
    add_environment(parser)
    parser.add_argument("--auth", action="store_true", help="require an API key: each start makes and shows one")
    for word in LIMITS:
        meaning = str(KeyOptions.model_fields[word].description)
        parser.add_argument(
            _flag(word), type=_limit(word), metavar="VALUE", help=f"with --auth: {meaning[:1].lower()}{meaning[1:]}"
        )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--upstream", type=_url, metavar="URL", help="address of a running TGI, to use instead of the stand-in"
    )
    instead.add_argument("--docker", action="store_true", help="run the configured image with docker")
    instead.add_argument(
        "--stand-in",
        metavar="MODEL",
        help="another model to stand in: a GGUF file, or a repository of the Hub with a quantization "
        "(owner/name:Q4_K_M). It is remembered; `default` goes back to the small one",
    )
    add_options(parser, SETTINGS)
    given = parse(parser, line)
    if not given.configurations:
        parser.error(NO_CONFIGURATION.format(command="local"))
    if given.name is not None and len(given.configurations) > 1:
        parser.error("--name is the name of one run: give one configuration with it, or write a `name` into each")
    limits: list[tuple[str, int]] = [(word, vars(given)[word]) for word in LIMITS if vars(given)[word] is not None]
    if limits and not given.auth:
        parser.error(f"{_flag(limits[0][0])} is a limit of the API key: give --auth with it")
    return Arguments(
        configurations=tuple(given.configurations),
        port=given.port,
        name=given.name,
        auth=given.auth,
        upstream=given.upstream,
        docker=given.docker,
        stand_in=given.stand_in,
        env=tuple(given.env),
        secrets=tuple(given.secret),
        settings=tuple((word.replace("_", "-"), value) for word, value in given_options(given, SETTINGS).items()),
        limits=tuple(limits),
    )


def _flag(word: str) -> str:
    return f"--{word.replace('_', '-')}"


def _limit(word: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            key = read_settings({"configuration": "-", "keys": {"local": {word: text}}}, "gateway").keys["local"]
        except ConfigurationError as error:
            (problem,) = error.problems
            raise argparse.ArgumentTypeError(f"{text!r}: {problem.rule}. Instead: {problem.remedy}") from None
        value = getattr(key, word)
        return int(value.timestamp()) if isinstance(value, datetime) else value

    return read


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a whole number from 0 to 65535")


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
    raise argparse.ArgumentTypeError(f"{shown!r} is not an address: write one like http://127.0.0.1:3000")
