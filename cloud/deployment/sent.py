"""From Pulumi's inputs to what HashiCorp's provider gets: a whole configuration, contents of files, timeouts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloud.deployment import newer
from cloud.deployment.own_names import DEFAULTS
from cloud.deployment.terraform.translation import configuration
from cloud.deployment.terraform.values import Block
from commands.property_values import FileValue

_TIMEOUTS = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"
"""Where the provider keeps a resource's timeouts in what it calls private (terraform-plugin-sdk, helper/schema)."""
FILES = {"code": ("filename", "source_code_hash"), "source": ("source", "source_hash")}
"""By property: the attribute that names the file, and the one that says whether its contents changed."""
_UNITS = {"s": 1, "m": 60, "h": 3600}


def terraform_config(
    type: str, block: Block, inputs: Mapping[str, Any], state: Mapping[str, Any] | None, timeouts: Mapping[str, str]
) -> dict[str, Any]:
    """Return what Terraform would send. `state`: that of the existing resource. A file with the same contents keeps its
    name."""
    given = {name: value for name, value in newer.understood(type, inputs).items() if name != DEFAULTS}
    config = configuration(type, block, given)
    for property, (attribute, hashed) in FILES.items():
        file = given.get(property)
        if isinstance(file, FileValue) and attribute in block.attributes and hashed in block.attributes:
            config[hashed] = config[hashed] or _digest(file)
            is_same = state is not None and state.get(hashed) == config[hashed]
            config[attribute] = state[attribute] if state is not None and is_same else file.path or file.hash
    if timeouts and "timeouts" in block.blocks:
        names = block.blocks["timeouts"].block.attributes
        config["timeouts"] = {name: timeouts.get(name) for name in names}
    return config


def with_timeouts(private: bytes, timeouts: Mapping[str, str]) -> bytes:
    """Return the timeouts in the provider's form: nanoseconds by kind of change."""
    if not timeouts:
        return private
    read: dict[str, Any] = (json.loads(private) if private else None) or {}
    own = {name: int(_seconds(value) * 1e9) for name, value in timeouts.items()}
    return json.dumps({**read, _TIMEOUTS: {**read.get(_TIMEOUTS, {}), **own}}).encode()


def _digest(file: FileValue) -> str:
    """Return the SHA-256 in Base64, as Lambda does. To compare, the engine gives the SHA-256 of a file without its
    path."""
    if file.path is None:
        return base64.b64encode(bytes.fromhex(file.hash or "")).decode()
    return base64.b64encode(hashlib.sha256(Path(file.path).read_bytes()).digest()).decode()


def _seconds(text: str) -> float:
    """Return the seconds of a duration that the engine or Terraform writes: `1h30m`."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([smh])", text))
