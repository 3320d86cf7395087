"""Fixtures of the registry's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_lambda.registry import table_counters
from tests.registry.emulator import Account, emulated


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with emulated(tmp_path_factory.mktemp("emulator")) as account:
        yield account


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait long for a count: a machine that runs tests is slower than DynamoDB."""
    monkeypatch.setattr(table_counters, "PATIENCE", 20.0)
    monkeypatch.setattr(table_counters, "PATIENCE_TO_CONNECT", 20.0)


@pytest.fixture
def account(emulator: Account) -> Account:
    """The account, its table empty."""
    emulator.empty()
    return emulator
