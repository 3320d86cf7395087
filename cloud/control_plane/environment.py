"""What moto reads from the environment when it is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ACCOUNT = "123456789012"
IMAGE = "ami-0d1ea41110c10a000"
"""The Deep Learning AMI, the one machine image that exists."""


def moto_settings(port: int) -> Mapping[str, str]:
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
