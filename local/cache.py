"""The folder in which `make local` keeps files between two starts."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SERVESTACK_CACHE"
"""Names another folder."""


def cache_folder() -> Path:
    """Return the folder, which need not exist."""
    return Path(os.environ.get(VARIABLE) or Path(__file__).parents[1] / ".cache" / "local")
