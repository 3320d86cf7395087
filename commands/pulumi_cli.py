"""Questions to the pulumi command about a stack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

Pulumi = Callable[[Sequence[str]], str]
"""Runs the pulumi command and returns its output. Raises `PulumiError`."""


class PulumiError(Exception):
    """The pulumi command does not answer. `str()` says why and what to do."""


def run_pulumi(arguments: Sequence[str]) -> str:
    """Return the output of the pulumi command. Raises `PulumiError` with its message if it fails."""
    try:
        ended = subprocess.run(["pulumi", *arguments, "--non-interactive"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PulumiError(
            "this machine has no pulumi command: install it (pulumi.com/docs/install), and run pulumi login"
        ) from None
    if ended.returncode != 0:
        raise PulumiError(ended.stderr.strip() or f"pulumi {arguments[0]} ended with status {ended.returncode}")
    return ended.stdout
