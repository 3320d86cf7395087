"""Tools of dstack's base image: `uv`, which installs nothing here, and `sudo`, which is not needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def run_tool(name: str, arguments: Sequence[str]) -> int:
    """Be `uv` or `sudo`; returns the status."""
    if name == "sudo":
        os.execvp(arguments[0], list(arguments))  # noqa: S606
    if arguments[:1] == ["venv"]:
        options = {index for index, word in enumerate(arguments) if word in ("--prompt", "--python")}
        words = [word for index, word in enumerate(arguments) if index - 1 not in options and not word.startswith("-")]
        folder = Path(words[-1])
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin/activate").write_text(f'export VIRTUAL_ENV="{folder}" PATH="{folder}/bin:$PATH"\n')
        return 0
    packages = [word for word in arguments if not word.startswith("-")][2:]
    if arguments[:2] == ["pip", "install"]:
        print(f"This cloud has no network, so nothing was installed: {' '.join(packages)}", flush=True)
        return 0
    print(f"error: unrecognized subcommand '{' '.join(arguments[:1])}'", flush=True)
    return 2
