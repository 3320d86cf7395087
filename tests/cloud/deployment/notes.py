"""A package of resources that are only noted: what a deployment did, in order."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pulumi

from cloud.deployment.package import Difference, Existing, Made, PartlyMade
from commands.program_monitor import Refused

TYPE = "notes:index:Note"


class Notes:
    """A `Package` of notes. `key` replaces a note. `refuse`: what it refuses; `partly`: what it makes only partly."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.refuse: set[str] = set()
        self.partly: set[str] = set()
        self._lock = threading.Lock()
        self._made = 0

    def check(
        self, type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        return {"name": logical, **inputs}

    def difference(self, there: Existing, inputs: Mapping[str, Any]) -> Difference:
        names = sorted((there.inputs.keys() | inputs.keys()) - {"name"})
        changed = tuple(name for name in names if there.inputs.get(name) != inputs.get(name))
        replacing = tuple(name for name in changed if name.startswith("key"))
        return Difference(changed, replacing, bool(inputs.get("fixed")))

    def create(self, type: str, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        self._note("create", inputs)
        with self._lock:
            self._made += 1
            made = Made(f"{inputs['name']}-{self._made}", {**inputs, "number": self._made, "__own": "kept"})
        if inputs["name"] in self.partly:
            raise PartlyMade(f"{inputs['name']} is made, and does not work", made)
        return made

    def update(self, there: Existing, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        self._note("update", inputs)
        return Made(there.id, {**there.outputs, **inputs})

    def delete(self, there: Existing, timeouts: Mapping[str, str]) -> None:
        self._note("delete", there.inputs, there.id)

    def happened(self) -> list[str]:
        """What was done since the last time."""
        events, self.events = self.events, []
        return events

    def _note(self, event: str, inputs: Mapping[str, Any], id: str = "") -> None:
        if f"{event} {inputs['name']}" in self.refuse:
            raise Refused(f"no {event} of {inputs['name']}")
        with self._lock:
            self.events.append(f"{event} {id or inputs['name']}")


class Note(pulumi.CustomResource):
    """A note in a program."""

    number: pulumi.Output[int]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(TYPE, name, {**inputs, "number": None}, opts)
