"""Modules are short and named for what they hold; skips go through one door."""

from __future__ import annotations

import ast
import re

from tests.structure.source import PACKAGES, modules

LONGEST = 250
"""Lines. A longer module holds two nouns."""


def test_no_module_is_longer_than_a_reader_takes_in_at_once() -> None:
    long = {module.name: len(module.text.splitlines()) for module in modules(*PACKAGES)}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_no_module_is_named_for_nothing() -> None:
    nothing = re.compile(r"(^|_)(utils?|helpers?|common|misc|shared|base|stuff)$")
    found = [
        module.name
        for module in modules(*PACKAGES, "tests", "bench")
        if any(nothing.search(part) for part in module.name.split("."))
    ]
    assert found == []


def test_every_module_says_what_it_holds() -> None:
    silent = [
        module.name for module in modules(*PACKAGES) if module.text.strip() and not ast.get_docstring(module.tree)
    ]
    assert silent == []


def test_no_argument_is_checked_by_assert() -> None:
    """`python -O` removes asserts; what must hold is raised."""
    found = [
        f"{module.name}:{node.lineno}"
        for module in modules(*PACKAGES)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_nothing_is_left_to_do_in_comments() -> None:
    found = [
        f"{module.name}: {line.strip()}"
        for module in modules(*PACKAGES)
        for line in module.text.splitlines()
        if re.search(r"\b(TODO|FIXME|XXX)\b", line)
    ]
    assert found == []


def test_every_skip_goes_through_require() -> None:
    """So that the table at the end names it and SERVESTACK_REQUIRE can forbid it."""
    found = [
        f"{module.name}:{node.lineno} {node.attr}"
        for module in modules("tests")
        if not module.name.startswith("tests.support")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("skip", "skipif", "importorskip")
    ]
    assert found == []
