"""The kinds of machines that a cloud can have."""

from __future__ import annotations

PLAYED, NSPAWN = "played", "nspawn"
KINDS = {PLAYED: "cloud.machines.machine", NSPAWN: "cloud.machines.nspawn"}
"""The module that runs a machine, by the kind."""
