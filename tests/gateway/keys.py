"""API keys for tests: the secrets, and the records that the registry keeps of them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any


def secret(name: str) -> str:
    """What a client sends."""
    return f"sk-test-{name}"


def record(name: str, runs: list[str] | None = None) -> dict[str, Any]:
    """What the registry knows of it."""
    known: dict[str, Any] = {"name": name, "sha256": sha256(secret(name).encode()).hexdigest()}
    return known if runs is None else {**known, "runs": runs}


ALL = record("all", ["*"])
ONE_RUN = record("one", ["another"])
