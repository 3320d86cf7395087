"""The pins of the requirements files, and the groups that they were resolved from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from tests.structure.source import ROOT

FILES: Mapping[str, str] = {
    "lambda": "requirements-lambda.txt",
    "local": "requirements-local.txt",
    "deploy": "requirements.txt",
    "cloud": "requirements-cloud.txt",
    "dev": "requirements-dev.txt",
}
"""Dependency group of pyproject.toml -> the file that `make pins` writes it to."""
EMBEDDINGS = "requirements-embeddings.txt"
"""The weights of the embedding model: one package of files, which no group asks for."""


def pinned(file: str) -> dict[str, str]:
    """Distribution (normalised) -> its exact version; what is not `name==version` is listed with an empty one."""
    pins: dict[str, str] = {}
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "--hash=")):
            continue
        requirement = line.split(";")[0].rstrip(" \\").strip()
        name, _, version = requirement.partition("==")
        pins[normal(name)] = version
    return pins


def direct(group: str) -> set[str]:
    """The distributions that a group of pyproject.toml asks for itself, included groups and all."""
    groups: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    names: set[str] = set()
    for entry in groups[group]:
        if isinstance(entry, str):
            names.add(normal(re.split(r"[<>=!~;\[ ]", entry)[0]))
        else:
            names |= direct(entry["include-group"])
    return names


def normal(distribution: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()
