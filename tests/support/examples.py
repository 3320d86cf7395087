"""The configurations in `examples`, for tests that try each of them."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVICES = sorted(EXAMPLES.glob("*/*.dstack.yml"))
GATEWAYS = sorted(EXAMPLES.glob("*.dstack.yml"))


def name_of(file: Path) -> str:
    """Return the short name of an example: `vllm`, `canary/new`, `gateway`."""
    name = file.relative_to(EXAMPLES).as_posix().removesuffix(".dstack.yml")
    return name.removesuffix("/serve")
