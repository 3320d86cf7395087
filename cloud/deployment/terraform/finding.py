"""Where Terraform's AWS provider is on this machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

VERSION = "5.100.0"
VARIABLE = "SERVESTACK_PROVIDER_AWS"
"""Names the program, or a folder with Terraform's folders of plugins."""
_IN_FOLDER = f"registry.terraform.io/hashicorp/aws/{VERSION}"
_NAME = f"terraform-provider-aws_v{VERSION}*"
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}


def binary() -> Path | None:
    """The program, from the variable, else from the folders in which Terraform looks for plugins, else from /opt."""
    named = os.environ.get(VARIABLE)
    if named and Path(named).is_file():
        return Path(named)
    for folder in [Path(named)] if named else _folders():
        for found in sorted((folder / _IN_FOLDER / machine()).glob(_NAME)):
            if os.access(found, os.X_OK):
                return found
    return None


def machine() -> str:
    """This machine, as Terraform names folders: `linux_amd64`."""
    return f"{platform.system().lower()}_{_MACHINES.get(platform.machine(), platform.machine())}"


def problem() -> str | None:
    """Why the provider cannot be used; `None` if it can."""
    if binary() is not None:
        return None
    if named := os.environ.get(VARIABLE):
        return f"{VARIABLE} is {named}, and version {VERSION} of the provider is not there"
    return f"version {VERSION} of the provider is in none of Terraform's folders of plugins; set {VARIABLE} to its path"


def _folders() -> Iterator[Path]:
    """Mirrors and the cache of Terraform's settings, its own folders, and those of the programs in /opt."""
    home = Path.home()
    settings = Path(os.environ.get("TF_CLI_CONFIG_FILE", home / ".terraformrc"))
    if os.access(settings, os.R_OK) and settings.is_file():
        text = settings.read_text(errors="replace")
        yield from map(Path, re.findall(r'(?:path|plugin_cache_dir)\s*=\s*"([^"]+)"', text))
    if cache := os.environ.get("TF_PLUGIN_CACHE_DIR"):
        yield Path(cache)
    shared = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    data = os.environ.get("XDG_DATA_HOME", str(home / ".local" / "share"))
    yield home / ".terraform.d" / "plugins"
    yield from (Path(folder) / "terraform" / "plugins" for folder in (data, *shared) if folder)
    if Path("/opt").is_dir():
        yield from sorted(Path("/opt").iterdir())
