"""The parts of the gateway import each other in one direction, and so do the modules of each part."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter

from tests.structure.source import Module, modules

ORDER: tuple[tuple[str, ...], ...] = (
    ("address", "errors", "logs"),
    ("allowed_origins", "bounded_json", "content_coding"),
    ("settings",),
    ("server",),
    ("monitoring",),
    ("upstream",),
    ("registry",),
    ("templates",),
    ("generation",),
    ("tools",),
    ("routing",),
    ("anthropic", "openai", "page", "responses", "tgi"),
    ("shown_models",),
    ("interface",),
    ("app",),
    ("__main__",),
)
"""Folders and modules of `gateway_lambda`, from the bottom up. A part imports only parts of lower rows, so that parts
in one row know nothing of each other: dialects of clients, model servers."""
_LEVELS = {part: level for level, row in enumerate(ORDER) for part in row}
_PACKAGE = "gateway_lambda"


def _gateway() -> dict[str, Module]:
    return {module.name: module for module in modules(_PACKAGE) if module.name != _PACKAGE}


def _part(name: str) -> str:
    return name.split(".")[1]


def _imported(module: Module, known: dict[str, Module]) -> Iterator[str]:
    """The gateway's modules that a module imports. `from a.b import c` imports `a.b.c` where that is a module."""
    for name in module.imports():
        if name.startswith(f"{_PACKAGE}."):
            yield name if name in known else name.rpartition(".")[0]


def test_the_table_has_every_part_of_the_gateway() -> None:
    assert sorted(_LEVELS) == sorted({_part(name) for name in _gateway()})


def test_a_part_imports_only_parts_below_it() -> None:
    known = _gateway()
    found = [
        f"{name} imports {other}"
        for name, module in known.items()
        for other in _imported(module, known)
        if _part(other) != _part(name) and _LEVELS[_part(other)] >= _LEVELS[_part(name)]
    ]
    assert found == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Raises `CycleError`, which names the modules of a circle."""
    known = _gateway()
    TopologicalSorter({name: set(_imported(module, known)) for name, module in known.items()}).prepare()
