"""API Gateway."""

from __future__ import annotations

import sys
from types import ModuleType


def without_openapi() -> None:
    """moto imports a validator of OpenAPI documents, for imports of whole APIs. Nothing here imports one."""
    if "openapi_spec_validator" not in sys.modules:
        absent = ModuleType("openapi_spec_validator")

        def validate_spec(*_: object) -> None:
            raise NotImplementedError("an API from an OpenAPI document")

        absent.validate_spec = validate_spec  # pyright: ignore[reportAttributeAccessIssue]
        sys.modules[absent.__name__] = absent
