"""What code and tests cite is in the tree: pages, their sections, and the cases of docs/translation.md."""

from __future__ import annotations

import ast
import re

from tests.readme.markdown import PAGES, anchors, read
from tests.structure.source import PACKAGES, Module, modules

RULES = "docs/translation.md"
_PAGE = re.compile(r"([\w./-]*\w\.md)(?:#([\w-]+))?")
_FOREIGN_SECTION = re.compile(r"^.*(?<!RFC \d{4} )§.*$", re.MULTILINE)
_CASE = re.compile(r"(?<![a-zA-Z])[pP](\d\d)(?=[_\W])")


def _modules() -> list[Module]:
    return [module for module in modules(*PACKAGES, "tests", "bench") if module.name != __name__]


def _exists(page: str, section: str | None) -> bool:
    """Whether a page is in the tree, and has the section. A bare name is that of a page anywhere."""
    found = [each for each in PAGES if each == page or ("/" not in page and each.endswith(f"/{page}"))]
    return bool(found) and (section is None or any(section in anchors(each) for each in found))


def test_every_page_that_is_cited_exists_and_has_the_section() -> None:
    cited = [(module.name, *found.groups()) for module in _modules() for found in _PAGE.finditer(module.text)]
    assert len({page for _, page, _ in cited}) > 10
    assert [each for each in cited if not _exists(each[1].removeprefix("/"), each[2])] == []


def test_sections_by_number_are_those_of_rfcs_alone() -> None:
    """The project's own pages are cited by headings, which a test can look up."""
    found = [(module.name, line) for module in _modules() for line in _FOREIGN_SECTION.findall(module.text)]
    assert found == []


def test_every_case_of_the_rules_has_a_test_and_every_test_s_case_is_in_the_rules() -> None:
    listed = re.findall(r"^\| P(\d\d) \|", read(RULES), re.MULTILINE)
    assert len(listed) == len(set(listed)) > 70
    tested: set[str] = set()
    for module in modules("tests/gateway", "tests/planning"):
        described = ast.get_docstring(module.tree, clean=False) or ""
        tested.update(_CASE.findall(module.text.replace(described, "").replace("_p", " p")))
    assert tested == set(listed)
