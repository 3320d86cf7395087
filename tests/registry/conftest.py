"""Fixtures of the registry's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_lambda.registry import dynamodb, state_items, table_client, table_counters
from tests.registry.emulator import Account, emulated

PATIENT = 60.0
"""Seconds."""


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with emulated(tmp_path_factory.mktemp("emulator")) as account:
        yield account


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests wait long for the table: a machine that runs tests is slower than DynamoDB."""
    monkeypatch.setattr(dynamodb, "PATIENCE", PATIENT)
    monkeypatch.setattr(dynamodb, "PATIENCE_WITHOUT", PATIENT)
    monkeypatch.setattr(state_items, "PATIENCE", PATIENT)
    monkeypatch.setattr(table_client, "_PATIENCE_TO_CONNECT", PATIENT)
    monkeypatch.setattr(table_counters, "PATIENCE", PATIENT)
    monkeypatch.setattr(table_counters, "PATIENCE_TO_CONNECT", PATIENT)
    monkeypatch.setattr(table_counters, "PATIENCE_AT_END", PATIENT)


@pytest.fixture
def account(emulator: Account) -> Account:
    """The account, its table empty."""
    emulator.empty()
    return emulator
