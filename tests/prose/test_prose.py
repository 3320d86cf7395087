"""The rules for prose find what they are there to find, and prose is found wherever a person reads it."""

from __future__ import annotations

import ast

import pytest

from tests.prose.checking import Rule, findings, rules
from tests.prose.passages import Passage, of_module, of_page

PAGE = """# A heading

One sentence over
two lines with `code` and a [link](words.md).

- an item
  that goes on

| a | **b** |
|---|---|
| `x` | why it is there |

```
code is left out
```
"""
MODULE = '''"""The module."""

def shown():
    """What it does."""
    raise ValueError(f"the name {1} is taken by another")


def _hidden():
    """What nobody reads."""
    return "too short"
'''


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_finds_its_bad_example_and_leaves_its_good_one(rule: Rule) -> None:
    found = {text: [line.split(": ")[1] for line in findings(Passage("p", 1, text))] for text in (rule.bad, rule.good)}
    assert found == {rule.bad: [rule.name], rule.good: []}


def test_a_finding_says_where_it_is_and_what_to_say_instead() -> None:
    (found,) = findings(Passage("docs/words.md", 7, "What it costs hangs on traffic alone."))
    assert found == "docs/words.md:7: hangs-on: depends on: … What it costs hangs on traffic alone. …"


def test_the_prose_of_a_page_is_its_paragraphs_items_headings_and_cells() -> None:
    assert list(of_page("p", PAGE)) == [
        Passage("p", 1, "A heading"),
        Passage("p", 3, "One sentence over two lines with X and a link."),
        Passage("p", 6, "an item that goes on"),
        Passage("p", 9, "a"),
        Passage("p", 9, "b"),
        Passage("p", 10, "---"),
        Passage("p", 10, "---"),
        Passage("p", 11, "X"),
        Passage("p", 11, "why it is there"),
    ]


def test_the_prose_of_a_module_is_its_public_docstrings_and_its_messages() -> None:
    assert list(of_module("m", ast.parse(MODULE))) == [
        Passage("m", 1, "The module."),
        Passage("m", 4, "What it does."),
        Passage("m", 5, "the name X is taken by another"),
    ]
