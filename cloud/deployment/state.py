"""The state of a stack: its resources and outputs, in a JSON file.

The file has secrets as plain text, also in the resources' own state. So only its owner can read it (mode 0600). Keep it
only in a folder of this machine.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import json_format, struct_pb2

from commands.property_values import Properties, decode, encode

_VALUES = frozenset({"inputs", "outputs"})


@dataclass
class Held:
    """A resource that exists."""

    urn: str
    type: str
    id: str
    inputs: dict[str, Any]
    """Secrets in the open."""
    outputs: dict[str, Any]
    provider: str = ""
    """The explicit provider as `URN::id`, or nothing."""
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    timeouts: Mapping[str, str] = field(default_factory=dict[str, str])
    trigger: Any = None
    """Its `replacement_trigger`."""
    going: bool = False
    """Whether another has its place, so that it only has to be deleted."""
    failed: bool = False
    """Whether its creation or last change failed, so that the next deployment tries again."""


class State:
    """A stack's file. Each change is written at once, so that nothing that exists is forgotten."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._forms: dict[int, Any] = {}
        """What is written of each resource: to make all of it again for each change takes seconds."""
        self.resources: list[Held] = []
        """In the order in which they were made."""
        self.outputs: Properties = {}
        if file.exists():
            read = json.loads(file.read_text())
            self.resources = [_held(one) for one in read["resources"]]
            self._forms = {id(held): form for held, form in zip(self.resources, read["resources"], strict=True)}
            self.outputs = _values(read["outputs"])

    def of(self, urn: str) -> Held | None:
        """Return the resource of that URN, unless it is being replaced."""
        return next((one for one in self.resources if one.urn == urn and not one.going), None)

    def keep(self, held: Held) -> None:
        """Add a resource, or its new state."""
        with self._lock:
            there = [at for at, one in enumerate(self.resources) if one.urn == held.urn and one.going == held.going]
            if there and not held.going:
                self.resources[there[0]] = held
            else:
                self.resources.append(held)
            self._forms[id(held)] = _plain(held)
            self._write()

    def forget(self, held: Held) -> None:
        with self._lock:
            self.resources = [one for one in self.resources if one is not held]
            self._write()

    def replace(self, held: Held) -> None:
        """Note that another resource replaces this one."""
        with self._lock:
            held.going = True
            self._forms[id(held)] = _plain(held)
            self._write()

    def stay(self, held: Held) -> None:
        """Note that the other one was not made."""
        with self._lock:
            held.going = False
            self._forms[id(held)] = _plain(held)
            self._write()

    def export(self, outputs: Properties) -> None:
        """Keep the stack's outputs."""
        with self._lock:
            self.outputs = dict(outputs)
            self._write()

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        written = {"resources": [self._forms[id(one)] for one in self.resources], "outputs": _json(self.outputs)}
        beside = self._file.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(written, file, indent=1)
        beside.replace(self._file)


def _plain(held: Held) -> dict[str, Any]:
    plain = {one.name: getattr(held, one.name) for one in fields(held)}
    return {name: _json(value) if name in _VALUES else value for name, value in plain.items()}


def _held(read: Mapping[str, Any]) -> Held:
    held = msgspec.convert(read, Held)
    held.inputs, held.outputs = _values(held.inputs), _values(held.outputs)
    return held


def _json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return property values in the engine's form: a secret or a file is an object with a reserved key."""
    return json_format.MessageToDict(encode(values))


def _values(read: Mapping[str, Any]) -> Properties:
    return decode(json_format.ParseDict(dict(read), struct_pb2.Struct()))
