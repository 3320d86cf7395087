"""What a command does when the reader of its output has gone: `make status | head -1`."""

from __future__ import annotations

import os
import sys


def discard_output() -> None:
    """Write the rest of stdout to nowhere. Python writes it at its end, and would complain there a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
