from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.boot.machine import Machine
from tests.boot.planned import SERVICE, planned


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """A function that makes a machine for the plan of some lines of a configuration."""
    machines: list[Machine] = []

    def made(lines: str = "", *, service: str = SERVICE, boot_timeout: int = 1800, **environment: str) -> Machine:
        plan = dataclasses.replace(planned(lines, service=service, **environment), boot_timeout=boot_timeout)
        machines.append(Machine(tmp_path / str(len(machines)), plan))
        return machines[-1]

    yield made
    for one in machines:
        one.end()
