"""Fixtures of the registry's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registry.emulator import Account, emulated


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with emulated(tmp_path_factory.mktemp("emulator")) as account:
        yield account


@pytest.fixture
def account(emulator: Account) -> Account:
    """The account, its table empty."""
    emulator.empty()
    return emulator
