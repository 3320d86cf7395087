"""How this machine can create resources: the best way that it has, and why it does not have a better one."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from cloud.deployment.terraform import finding
from cloud.possible import has_pulumi

Way = Literal["pulumi", "pulumi with our plugins", "in process", "none"]
ROOT = Path(__file__).parents[2]
PACKAGES = {"aws": "pulumi_aws", "random": "pulumi_random"}

_OURS = "cloud.deployment.plugin"


@dataclass(frozen=True)
class Found:
    """How resources are created here."""

    way: Way
    why: str
    """A sentence for the user."""


def found() -> Found:
    """Return the best way: the `pulumi` command with Pulumi's own plugins, the same with ours in their place
    (HashiCorp's provider makes the resources), HashiCorp's provider alone, or nothing. A `pulumi` that finds no plugin
    downloads its own."""
    command = has_pulumi()
    missing = [name for name in PACKAGES if not _has_plugin(name)]
    if command and not missing:
        return Found("pulumi", "the pulumi command and its own plugins are installed")
    problem = finding.problem()
    reason = f"Pulumi's plugin {missing[0]} is not installed" if command else "the pulumi command is not on PATH"
    if problem is not None:
        without = Found("none", f"{reason}, and {problem}")
        return Found("pulumi", f"{reason}: pulumi downloads it at the first `pulumi up`") if command else without
    provider = f"HashiCorp's AWS provider {finding.VERSION} makes the resources"
    return Found("pulumi with our plugins" if command else "in process", f"{reason}: {provider}")


def write_plugins(folder: Path) -> None:
    """Write the programs that `pulumi` takes for its plugins, if `folder` is on PATH: they run `plugin.py`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        path = folder / f"pulumi-resource-{name}"
        python, root = shlex.quote(sys.executable), shlex.quote(str(ROOT))
        path.write_text(f"#!/bin/sh\nPYTHONPATH={root} exec {python} -m {_OURS} {name}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _has_plugin(name: str) -> bool:
    """Whether `pulumi` finds its own plugin: on PATH, then in its home, in the version of the SDK. Ours do not
    count."""
    on_path = shutil.which(f"pulumi-resource-{name}")
    if on_path and _OURS.encode() not in Path(on_path).read_bytes()[:1000]:
        return True
    home = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi"))
    return (home / "plugins" / f"resource-{name}-v{version(PACKAGES[name])}").is_dir()
