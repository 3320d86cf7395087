"""Configurations by short name: `vllm` for `examples/vllm/serve.dstack.yml`, `canary/new` for
`examples/canary/new.dstack.yml`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

_EXAMPLES = Path(__file__).parents[2] / "examples"
_END = ".dstack.yml"
_OTHER_NAMES = {"tgi": "mistral"}
"""The document's first example is one of TGI."""


def configuration_path(word: str) -> str:
    """Return the path of the example that `word` names. Any other word is a path already, and stays as it is.

    Raises:
        argparse.ArgumentTypeError: it names a folder with several examples.
    """
    if os.path.exists(word):
        return word
    named = {_short_name(file): file for file in sorted(_EXAMPLES.rglob(f"*{_END}"))}
    if file := named.get(_OTHER_NAMES.get(word, word)):
        return os.path.relpath(file)
    if inside := [name for name in named if name.startswith(f"{word}/")]:
        raise argparse.ArgumentTypeError(f"examples/{word} has several configurations: write {' or '.join(inside)}")
    return word


def _short_name(file: Path) -> str:
    return file.relative_to(_EXAMPLES).as_posix().removesuffix(_END).removesuffix("/serve")
