"""Loads what holds for every test: loopback only, nothing left running, a table of what was skipped."""

pytest_plugins = ["tests.support.isolation", "tests.support.skips"]
