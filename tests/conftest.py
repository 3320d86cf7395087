"""Loads what holds for every test: loopback only, nothing left running, a table of what was skipped, the examples
of hypothesis, which no clock judges: the same ones each time, or new ones with `--hypothesis-profile new`."""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.isolation", "tests.support.skips"]

# `make test` is a make of its own: those that tests run are not its children, and print no directories.
for variable in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(variable, None)

# By itself, hypothesis fails a test when one example takes 0.2 s, or when it makes examples slowly. Both are the
# machine's fault where it does something else for a moment.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False)
settings.register_profile("same", settings.get_profile("new"), derandomize=True)
settings.load_profile("same")
