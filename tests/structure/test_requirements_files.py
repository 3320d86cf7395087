"""The pins are exact, agree with each other, and hold what pyproject.toml asks for."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.structure.requirements_files import EMBEDDINGS, FILES, direct, pinned
from tests.structure.source import ROOT


def test_a_package_has_the_same_version_in_every_file() -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for file in FILES.values():
        for name, version in pinned(file).items():
            versions[name].add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("file", [*FILES.values(), EMBEDDINGS])
def test_every_pin_is_one_exact_version(file: str) -> None:
    loose = {
        name: version for name, version in pinned(file).items() if not re.fullmatch(r"[0-9][0-9A-Za-z.+!]*", version)
    }
    assert loose == {}


@pytest.mark.parametrize("group", FILES)
def test_what_a_group_asks_for_is_pinned_in_its_file(group: str) -> None:
    assert direct(group) - pinned(FILES[group]).keys() == set(), "run `make pins`"


@pytest.mark.parametrize("file", [FILES["lambda"], EMBEDDINGS])
def test_everything_that_goes_into_the_function_or_is_installed_while_serving_is_hashed(file: str) -> None:
    text = (ROOT / file).read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_local_environment_has_no_pulumi_and_no_aws() -> None:
    assert {name for name in pinned(FILES["local"]) if re.match(r"pulumi|boto", name)} == set()
