"""From `GATEWAY_REGISTRY` to a registry."""

from __future__ import annotations

from gateway_lambda.registry.file import FileRegistry, RegistryError
from gateway_lambda.registry.table import RegistrySource


def open_registry(locator: str) -> RegistrySource:
    """The registry at `file:PATH`. Raises `RegistryError`."""
    kind, _, where = locator.partition(":")
    if kind == "file":
        return FileRegistry(where)
    raise RegistryError(f"GATEWAY_REGISTRY={locator!r}: registries of kind {kind!r} are not known; give file:PATH")
