"""The machine that the function runs on, in the terms of pip, wheels and markers."""

from __future__ import annotations

from collections.abc import Mapping

PYTHON = "3.13"
"""The version of the runtime `python3.13`."""

PLATFORMS = ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64")
"""Platforms of wheels that the runtime can load, the best first. It is Amazon Linux 2023, with glibc 2.34, on arm64."""

MARKERS: Mapping[str, str] = {
    "implementation_name": "cpython",
    "implementation_version": f"{PYTHON}.0",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}
"""The environment in which markers of requirements are evaluated. pip would use the one of its own machine."""
