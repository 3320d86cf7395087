"""The folder in which pulumi deploys into the cloud: this project by links, with stack config of its own.

pulumi writes `Pulumi.<stack>.yaml` beside `Pulumi.yaml`. In the project itself it would write over the stack config of
a stack on AWS that has the same name.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PACKAGES = Path(".cache") / "function"
"""What was downloaded for the function. With a folder of its own, each cloud would download it again."""


def make_project(folder: Path) -> Path:
    """Make what is in the folder again from nothing, and return the folder. It stays the same one: a terminal can be in
    it."""
    project = folder / "project"
    _empty(project)
    for entry in sorted(ROOT.iterdir()):
        hidden = entry.name.startswith(".") and entry.name != ".venv"
        stack_config = entry.name.startswith("Pulumi.") and entry.name != "Pulumi.yaml"
        if not hidden and not stack_config and entry.name != "__pycache__":
            (project / entry.name).symlink_to(entry)
    (ROOT / _PACKAGES).mkdir(parents=True, exist_ok=True)
    (project / _PACKAGES).parent.mkdir()
    (project / _PACKAGES).symlink_to(ROOT / _PACKAGES)
    _empty(folder / "pulumi")
    return project


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
