"""Asking the pulumi command for what it knows of a stack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

Pulumi = Callable[[Sequence[str]], str]
"""Runs the pulumi command and gives what it prints. Raises `PulumiError`."""


class PulumiError(Exception):
    """The pulumi command does not answer; `str()` says why and what to do."""


def run_pulumi(arguments: Sequence[str]) -> str:
    """What the pulumi command prints. Raises `PulumiError` with what it says where it fails."""
    try:
        ended = subprocess.run(["pulumi", *arguments, "--non-interactive"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PulumiError("there is no pulumi command: install it (pulumi.com/docs/install), and log in") from None
    if ended.returncode != 0:
        raise PulumiError(ended.stderr.strip() or f"pulumi {arguments[0]} ended with status {ended.returncode}")
    return ended.stdout
