"""Loads what holds for every test: loopback only, nothing left running, a table of what was skipped."""

import os

pytest_plugins = ["tests.support.isolation", "tests.support.skips"]

# `make test` is a make of its own: those that tests run are not its children, and print no directories.
for variable in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(variable, None)
