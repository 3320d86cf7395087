"""Configurations by short name: `vllm` for `examples/vllm/serve.dstack.yml`."""

from __future__ import annotations

import os
from pathlib import Path

_EXAMPLES = Path(__file__).parents[2] / "examples"
_FILE = "serve.dstack.yml"
_OTHER_NAMES = {"tgi": "mistral"}
"""The document's first example is one of TGI."""


def configuration_path(word: str) -> str:
    """Return the path of the example that `word` names. Any other word is a path already, and stays as it is."""
    if "/" in word or os.path.exists(word):
        return word
    example = _EXAMPLES / _OTHER_NAMES.get(word, word) / _FILE
    return os.path.relpath(example) if example.is_file() else word
