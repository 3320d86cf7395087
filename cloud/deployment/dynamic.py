"""Dynamic resources: the project's own provider classes, run in this process."""

from __future__ import annotations

import base64
import contextlib
import io
import pickle
from collections.abc import Callable, Generator, Mapping
from typing import Any

from pulumi import dynamic

from cloud.deployment.package import Difference, Existing, Made
from commands.program_monitor import Refused

TYPE = "pulumi-python:dynamic:Resource"
PROVIDER = "__provider"
"""The property in which the SDK keeps the provider: a pickled object, in Base64."""


class Dynamic:
    """A `Package`. What a provider writes to standard error goes to `say`, as the engine shows it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def check(
        self, type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        with self._asked(inputs) as provider:
            checked = provider.check(dict(old or {}), dict(inputs))
        if failures := checked.failures:
            raise Refused("; ".join(f"{one.property}: {one.reason}" for one in failures))
        return {**checked.inputs, PROVIDER: inputs[PROVIDER]}

    def difference(self, there: Existing, inputs: Mapping[str, Any]) -> Difference:
        with self._asked(inputs) as provider:
            found = provider.diff(there.id, dict(there.outputs), dict(inputs))
        names = sorted(there.inputs.keys() | inputs.keys())
        changed = tuple(name for name in names if there.inputs.get(name) != inputs.get(name))
        if found.changes is False:
            return Difference()
        if found.changes is None and not changed:
            return Difference()
        return Difference(changed or ("",), tuple(found.replaces or ()), bool(found.delete_before_replace))

    def create(self, type: str, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        with self._asked(inputs) as provider:
            made = provider.create(dict(inputs))
        return Made(str(made.id), {**(made.outs or {}), PROVIDER: inputs[PROVIDER]})

    def update(self, there: Existing, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        with self._asked(inputs) as provider:
            changed = provider.update(there.id, dict(there.outputs), dict(inputs))
        return Made(there.id, {**(changed.outs or {}), PROVIDER: inputs[PROVIDER]})

    def delete(self, there: Existing, timeouts: Mapping[str, str]) -> None:
        with self._asked(there.outputs) as provider:
            provider.delete(there.id, dict(there.outputs))

    @contextlib.contextmanager
    def _asked(self, properties: Mapping[str, Any]) -> Generator[dynamic.ResourceProvider]:
        """Yield the resource's provider. What it raises becomes a refusal."""
        provider = pickle.loads(base64.b64decode(properties[PROVIDER]))  # noqa: S301 - the program of this project made it
        with contextlib.redirect_stderr(_Lines(self._say)):
            try:
                yield provider
            except Refused:
                raise
            except Exception as error:
                raise Refused(str(error) or error.__class__.__name__) from error


class _Lines(io.TextIOBase):
    """Passes on each line that is written to it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)
