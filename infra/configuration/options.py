"""Stack config as options of a command: `--spot-policy spot` for `spot_policy: spot`.

The words are those of `settings`; what follows them is read by `read_settings`, as texts of stack config are.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Mapping, Sequence

from infra.configuration.settings import GatewaySettings, ServiceSettings

BOOLEANS = ("auth", "wait", "preflight", "protect", "manage_api_gateway_account")
"""Words whose option may stand alone, which then means true."""

NO_CONFIGURATION = "no configuration is given: make {command} CONFIG=examples/mistral/serve.dstack.yml"
"""What a command says when `CONFIG` is empty."""
_NOT_OPTIONS = ("configuration", "env")
"""The configuration has a place of its own; variables are given one at a time."""
_MEANINGS: Mapping[str, str] = {
    "gpu": "GPU that a replica needs, as in the configuration: 24GB, A10G:2, L4,A10G:24GB..:1..2",
    "cpu": "CPUs that a replica needs: 8 or 4..16",
    "memory": "main memory that a replica needs: 32GB..",
    "disk": "disk that a replica needs: 200GB..",
    "auth": "whether a key is needed; of a gateway: where its services do not say",
    "spot_policy": "spot, on-demand or auto",
    "max_price": "the most a replica may cost, dollars an hour",
    "regions": "AWS regions to choose from: a,b",
    "instance_types": "EC2 instance types to choose from: a,b",
    "availability_zones": "availability zones to choose from: a,b",
}
"""Where more can be said than the settings themselves do."""


def option_words() -> tuple[str, ...]:
    """Every word of stack config that is an option, those of a service first."""
    words = dict.fromkeys((*ServiceSettings.model_fields, *GatewaySettings.model_fields))
    return tuple(word for word in words if word not in _NOT_OPTIONS)


def add_options(parser: argparse.ArgumentParser, words: Iterable[str]) -> None:
    """Adds an option for each of `words`."""
    for word in words:
        option, meaning = f"--{word.replace('_', '-')}", _meaning(word)
        if word in BOOLEANS:
            parser.add_argument(option, nargs="?", const="true", metavar="VALUE", help=meaning)
        else:
            parser.add_argument(option, metavar="VALUE", help=meaning)


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Adds `--env NAME=value`, which may come often."""
    parser.add_argument("--env", action="append", default=[], metavar="NAME=value", help="environment of the container")


def given_options(given: argparse.Namespace, words: Iterable[str]) -> dict[str, str]:
    """Those of `words` that were given, with their texts."""
    values = vars(given)
    return {word: value for word in words if (value := values[word]) is not None}


def parse(parser: argparse.ArgumentParser, line: Sequence[str]) -> argparse.Namespace:
    """Reads a command line; a wrong one ends the process with status 2 and names the nearest option."""
    given, unknown = parser.parse_known_args(line)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(unknown[0], parser)}")
    return given


def _meaning(word: str) -> str:
    model = ServiceSettings if word in ServiceSettings.model_fields else GatewaySettings
    return _MEANINGS.get(word) or str(model.model_fields[word].description)


def _nearest(flag: str, parser: argparse.ArgumentParser) -> str:
    known = [option for option in parser.format_help().split() if option.startswith("--")]
    near = difflib.get_close_matches(flag.partition("=")[0], known, n=1)
    return f" (nearest: {near[0]})" if near else ""
