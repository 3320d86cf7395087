"""The one type of pulumi-random that the program uses: random bytes, which become API keys."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any

from cloud.deployment.package import Difference, Existing, Made
from commands.program_monitor import Refused
from commands.property_values import UNKNOWN, SecretValue

TYPE = "random:index/randomBytes:RandomBytes"


class RandomBytes:
    """A `Package`. Each change replaces them, as `keepers` and `length` do in pulumi-random."""

    def check(
        self, type: str, logical: str, inputs: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        if type != TYPE:
            raise Refused(f"only {TYPE} is made here, not {type}")
        if unknown := sorted(inputs.keys() - {"keepers", "length"}):
            raise Refused(f"{TYPE} has no property {unknown[0]}")
        return dict(inputs)

    def difference(self, there: Existing, inputs: Mapping[str, Any]) -> Difference:
        names = there.inputs.keys() | inputs.keys()
        changed = tuple(sorted(name for name in names if there.inputs.get(name) != inputs.get(name)))
        return Difference(changed, changed)

    def preview(self, type: str, inputs: Mapping[str, Any], there: Existing | None) -> dict[str, Any]:
        return {**inputs, "base64": UNKNOWN, "hex": UNKNOWN}

    def read(self, there: Existing) -> Made:
        return Made(there.id, there.outputs)

    def create(self, type: str, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        value = secrets.token_bytes(int(inputs["length"]))
        text = base64.b64encode(value).decode()
        return Made(text, {**inputs, "base64": SecretValue(text), "hex": SecretValue(value.hex())})

    def update(self, there: Existing, inputs: Mapping[str, Any], timeouts: Mapping[str, str]) -> Made:
        raise Refused(f"{TYPE} cannot be changed")

    def delete(self, there: Existing, timeouts: Mapping[str, str]) -> None:
        """Nothing exists outside of the state."""
