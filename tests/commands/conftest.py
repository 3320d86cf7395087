"""One keyed `make local` for all tests of `make smoke`, and a scripted server that does what a broken way would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.local_service import MISTRAL, LocalService, serving


@dataclass(frozen=True)
class Keyed:
    """What is served, and its key."""

    service: LocalService
    key: str

    @property
    def url(self) -> str:
        return f"{self.service.url}/services/{self.service.run}"


@pytest.fixture(scope="session")
def keyed() -> Iterator[Keyed]:
    """`make local` of the document's first configuration, with `--auth`."""
    with serving(MISTRAL, "--auth") as service:
        found = re.search(r"API key .*: (\S+)", service.banner)
        if found is None:
            raise AssertionError(f"a banner without a key:\n{service.banner}")
        yield Keyed(service, found[1])
