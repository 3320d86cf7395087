"""Loads what holds for every test: loopback only, nothing left running, a table of what was skipped, no clock that
judges examples of hypothesis."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.isolation", "tests.support.skips"]

# `make test` is a make of its own: those that tests run are not its children, and print no directories.
for variable in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(variable, None)

# By itself, hypothesis fails a test when one example takes 0.2 s, or when it makes examples slowly. Both are the
# machine's fault where it does something else for a moment.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")
