"""The API key of `--auth`."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from gateway_lambda.registry.record import Key

KEY_NAME = "local"


def make_key() -> str:
    """A new key, 256 bits."""
    return f"sk-{secrets.token_urlsafe(32)}"


def key_record(key: str, limits: Mapping[str, int]) -> Key:
    """What the gateway knows of a key: its digest, and its limits by their names."""
    return Key(name=KEY_NAME, sha256=hashlib.sha256(key.encode()).hexdigest(), runs=["*"], **limits)
