"""What once failed, tried again: a file a case, as `tests/hostile/fuzz.py` prints what it finds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.hostile.arena import Arena, Case

_CASES = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.mark.parametrize("file", _CASES, ids=lambda file: file.stem)
def test_it_does_not_fail_again(file: Path, tmp_path: Path) -> None:
    assert asyncio.run(_wrong(json.loads(file.read_text()), tmp_path)) == []


async def _wrong(case: Case, folder: Path) -> list[str]:
    arena = Arena(folder)
    await arena.start()
    try:
        return await arena.wrong(case)
    finally:
        await arena.close()
