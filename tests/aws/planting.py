"""Plants one wrong value in inputs that are right, to see who refuses it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commands.property_values import UNKNOWN
from tests.aws.standin.paths import is_list


@dataclass(frozen=True)
class Planted:
    """One property of one resource that is other than the program has it."""

    resource: str
    """The logical name."""
    path: str
    """Dotted, with numbers for the items of lists: `defaultActions.0.type`."""
    value: Any
    """`UNKNOWN` takes the property away."""


def plant(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `inputs` with `value` at `path`. A number one beyond a list's end adds an item."""
    planted = copy.deepcopy(dict(inputs))
    *way, last = path.split(".")
    at: Any = planted
    for step in way:
        at = at[int(step)] if is_list(at) else at.setdefault(step, {})
    if is_list(at):
        at[int(last) : int(last) + 1] = [] if value is UNKNOWN else [value]
    elif value is UNKNOWN:
        del at[last]
    else:
        at[last] = value
    return planted
