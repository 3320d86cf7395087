"""The registry file that the gateway routes by, private to this user."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gateway_lambda.registry.record import Registry


def write_registry(path: Path, registry: Registry) -> None:
    """Write the file in one step, so that a gateway never reads half of it. Only this user can read it."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(registry))
    new.replace(path)
