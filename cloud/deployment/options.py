"""The options of a resource, with the engine's meaning."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands.program_monitor import STACK_TYPE, Registration
from commands.property_values import UNKNOWN


def with_ignored(asked: Mapping[str, Any], there: Mapping[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """Return the inputs, with the old value of each property that a path (`a[0].b`) names."""
    given = copy.deepcopy(dict(asked))
    for path in paths:
        *way, last = [int(key) if key.isdigit() else key for key in re.findall(r"\w+", path)]
        old: Any = there
        new: Any = given
        try:
            for key in way:
                old, new = old[key], new[key]
            new[last] = old[last]
        except (KeyError, IndexError):
            continue  # nothing is there that could stay
    return given


def is_replaced_by_options(registration: Registration, changed: Sequence[str], trigger: Any) -> bool:
    """Whether an option demands a new resource if these properties changed. `trigger`: the old value of the option."""
    tops = {re.split(r"[.\[]", path)[0] for path in registration.replace_on_changes}
    if changed and ("*" in tops or tops & set(changed)):
        return True
    new = registration.replacement_trigger
    return None not in (trigger, new) and UNKNOWN not in (trigger, new) and trigger != new


def former_urns(registration: Registration) -> Iterator[str]:
    """Return the URNs that the resource can have had before."""
    for alias in registration.aliases:
        if alias.startswith("urn:"):
            yield alias
        else:
            yield _aliased(registration, alias.split())


def _aliased(registration: Registration, words: Sequence[str]) -> str:
    """Return the URN of an alias, which has only what differs: type, name, parent."""
    head, project, types, name = registration.urn.split("::", 3)
    type = registration.type
    around = types.removesuffix(type)
    for word in words:
        if word.startswith("urn:"):
            parents = word.split("::")[2]
            around = "" if parents == STACK_TYPE else f"{parents}$"
        elif ":" in word:
            type = word
        else:
            name = word
    return f"{head}::{project}::{around}{type}::{name}"
