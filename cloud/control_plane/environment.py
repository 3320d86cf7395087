"""What moto needs before it is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

ACCOUNT = "123456789012"
IMAGE = "ami-0d1ea41110c10a000"
"""The Deep Learning AMI, the one machine image that exists."""


def prepare(port: int) -> None:
    """Prepare this process for moto. Nothing of the caller's own AWS settings stays."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    os.environ.update(_settings(port))
    _without_openapi()


def _settings(port: int) -> Mapping[str, str]:
    """The variables, each for one reason."""
    return {
        # Roles of functions attach AWS's own policies.
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        # A certificate is issued at most this many seconds after its record is there.
        "MOTO_ACM_VALIDATION_WAIT": "1",
        # Only the image that replicas start from: moto's own take ten seconds to load.
        "MOTO_AMIS_PATH": str(Path(__file__).with_name("images.json")),
        "MOTO_PORT": str(port),
        "MOTO_ACCOUNT_ID": ACCOUNT,
        # moto needs some; nobody checks them.
        "AWS_ACCESS_KEY_ID": "cloud",
        "AWS_SECRET_ACCESS_KEY": "cloud",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _without_openapi() -> None:
    """moto imports a validator of OpenAPI documents, for imports of whole APIs. Nothing here imports one."""
    try:
        import openapi_spec_validator  # noqa: F401 # pyright: ignore[reportMissingImports, reportUnusedImport]
    except ImportError:

        def validate(*_: object) -> None:
            raise NotImplementedError("an API from an OpenAPI document")

        absent, below = ModuleType("openapi_spec_validator"), "openapi_spec_validator.validation"
        absent.validate = validate  # pyright: ignore[reportAttributeAccessIssue]
        exceptions = ModuleType(f"{below}.exceptions")
        exceptions.OpenAPIValidationError = ValueError  # pyright: ignore[reportAttributeAccessIssue]
        sys.modules |= {absent.__name__: absent, below: ModuleType(below), exceptions.__name__: exceptions}
