"""From `GATEWAY_REGISTRY` to a registry."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gateway_lambda.registry.file import FileRegistry, RegistryError
from gateway_lambda.registry.table import RegistrySource


def open_registry(locator: str, environment: Mapping[str, str] = os.environ) -> RegistrySource:
    """The registry at `file:PATH` or `dynamodb:TABLE`; a table's region and credentials are in `environment`.

    Raises `RegistryError`.
    """
    kind, _, where = locator.partition(":")
    if kind == "file":
        return FileRegistry(where)
    if kind == "dynamodb":
        # Not needed for files, where it would be a part of every start.
        from gateway_lambda.registry.dynamodb import DynamoRegistry

        return DynamoRegistry(where, environment)
    raise RegistryError(
        f"GATEWAY_REGISTRY={locator!r}: the kind {kind!r} is not known; use file:PATH or dynamodb:TABLE"
    )
