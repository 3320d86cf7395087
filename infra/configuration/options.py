"""Stack config as options of a command: `--spot-policy spot` for `spot_policy: spot`.

The options are the words in `settings`. `read_settings` reads their values in the same way as texts of stack config.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from infra.configuration.settings import GatewaySettings, ServiceSettings

BOOLEANS = frozenset(
    word
    for settings in (ServiceSettings, GatewaySettings)
    for word, field in settings.model_fields.items()
    if cast(object, field.annotation) in (bool, bool | None)
)
"""Words whose option can have no value. It then means true."""

NO_CONFIGURATION = "no configuration is given: make {command} CONFIG=examples/mistral/serve.dstack.yml"
"""What a command says when `CONFIG` is empty."""
_NOT_OPTIONS = ("configuration", "env", "secrets")
"""Commands take the configuration in another way, and one variable or secret per `--env` or `--secret`."""
_MEANINGS: Mapping[str, str] = {
    "gpu": "GPU that a replica needs, as in the configuration: 24GB, A10G:2, L4,A10G:24GB..:1..2",
    "cpu": "vCPUs that a replica needs: 8 or 4..16",
    "memory": "main memory that a replica needs: 32GB..",
    "disk": "disk that a replica needs: 200GB..",
    "auth": "whether requests need an API key; for a gateway, the default of its services",
    "spot_policy": "spot, on-demand or auto",
    "max_price": "the highest price of a replica, in dollars per hour",
    "regions": "AWS regions to choose from: a,b",
    "instance_types": "EC2 instance types to choose from: a,b",
    "availability_zones": "availability zones to choose from: a,b",
}
"""Descriptions for `--help`, where they say more than those of the settings."""


def option_words() -> tuple[str, ...]:
    """Return every word of stack config that is an option. The words of a service come first."""
    words = dict.fromkeys((*ServiceSettings.model_fields, *GatewaySettings.model_fields))
    return tuple(word for word in words if word not in _NOT_OPTIONS)


def add_options(parser: argparse.ArgumentParser, words: Iterable[str]) -> None:
    """Add an option for each of `words`."""
    for word in words:
        option, meaning = f"--{word.replace('_', '-')}", _meaning(word)
        if word in BOOLEANS:
            parser.add_argument(option, nargs="?", const="true", metavar="VALUE", help=meaning)
        else:
            parser.add_argument(option, metavar="VALUE", help=meaning)


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Add `--env NAME=value` and `--secret NAME=value`, which can be repeated."""
    meaning = "an environment variable of the container; can be repeated"
    parser.add_argument("--env", action="append", default=[], metavar="NAME=value", help=meaning)
    meaning = "a secret for ${{ secrets.NAME }}; NAME alone takes its value from your environment; can be repeated"
    parser.add_argument("--secret", action="append", default=[], metavar="NAME=value", help=meaning)


def with_values(entries: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Return each `NAME=value`, with its value in `environment` for a `NAME` alone, if it is set there."""
    return [f"{entry}={environment[entry]}" if entry in environment else entry for entry in entries]


def given_options(given: argparse.Namespace, words: Iterable[str]) -> dict[str, str]:
    """Return the words among `words` that were given, with their texts."""
    values = vars(given)
    return {word: value for word in words if (value := values[word]) is not None}


def parse(parser: argparse.ArgumentParser, line: Sequence[str]) -> argparse.Namespace:
    """Read a command line. An unknown option ends the process with status 2; the message names the nearest option."""
    given, unknown = parser.parse_known_args(line)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(unknown[0], parser)}")
    return given


def _meaning(word: str) -> str:
    """Return the description of a word for `--help`, where it begins with a small letter."""
    model = ServiceSettings if word in ServiceSettings.model_fields else GatewaySettings
    text = _MEANINGS.get(word) or str(model.model_fields[word].description)
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _nearest(flag: str, parser: argparse.ArgumentParser) -> str:
    known = [option for option in parser.format_help().split() if option.startswith("--")]
    near = difflib.get_close_matches(flag.partition("=")[0], known, n=1)
    return f" (nearest: {near[0]})" if near else ""
