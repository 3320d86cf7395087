"""What a test may need and a machine may lack, each under one name.

`require("docker")` skips the test where there is no docker engine, and fails it when `SERVESTACK_REQUIRE` names
docker: so CI states what it must have, and a laptop still gets through. Every skip in the suite goes through here,
which is how the table at the end of a run can say what was not tried and why.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud.deployment.terraform import finding
from cloud.machines.nspawn import debian_root
from tests.clients import environments

VARIABLE = "SERVESTACK_REQUIRE"
CHECKOV = Path(__file__).parents[2] / ".cache" / "checkov" / "bin" / "checkov"
"""In an environment of its own, because its packages conflict with ours."""


@dataclass(frozen=True)
class Requirement:
    """Something outside the Python environment that some tests need."""

    what: str
    """What it is, for the table and for the message about an unknown name."""
    problem: Callable[[], str | None]
    """Why it is not there, or `None` when it is. Asked once a process."""


def require(name: str) -> None:
    """Let the calling test go on only where `name` is there; else skip it, or fail it when the caller insists."""
    if (why := problem_with(name)) is None:
        return
    if name in insisted_on(os.environ):
        pytest.fail(f"{VARIABLE} names {name}, and {why}", pytrace=False)
    pytest.skip(f"{name}: {why}")


@functools.cache
def problem_with(name: str) -> str | None:
    return REQUIREMENTS[name].problem()


def insisted_on(environment: Mapping[str, str]) -> frozenset[str]:
    """The names in SERVESTACK_REQUIRE; an unknown one is an error, since it would demand nothing."""
    names = frozenset(name.strip() for name in environment.get(VARIABLE, "").split(",") if name.strip())
    if unknown := names - REQUIREMENTS.keys():
        known = ", ".join(f"{name} ({requirement.what})" for name, requirement in sorted(REQUIREMENTS.items()))
        raise pytest.UsageError(f"{VARIABLE} names {', '.join(sorted(unknown))}; known are {known}")
    return names


def _boot() -> str | None:
    if "SERVESTACK_BOOT" not in os.environ and "boot" not in insisted_on(os.environ):
        return "it takes minutes; make boot runs it"
    return debian_root.cannot_boot()


def _cloud() -> str | None:
    if "cloud" not in insisted_on(os.environ):
        return 'it takes half an hour; SERVESTACK_REQUIRE=cloud make test ARGS="-m cloud" runs it'
    return finding.problem() or _linux() or _machines()


def _machines() -> str | None:
    from cloud.machines.__main__ import cannot_run

    return cannot_run()


def _checkov() -> str | None:
    done = CHECKOV.parents[1] / ".installed"
    return None if done.exists() else "it is not installed; make check installs it, and needs the network to do so"


def _outlines_core() -> str | None:
    found = importlib.util.find_spec("outlines_core")
    return None if found else "outlines-core 0.1.26 has no wheel for this Python; use 3.11 or 3.12"


def chromium() -> str | None:
    """The path of a Chromium or Chrome."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _chromium() -> str | None:
    return None if chromium() else "there is no chromium command"


def _docker() -> str | None:
    if shutil.which("docker") is None:
        return "there is no docker command"
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        answers = subprocess.run(asked, capture_output=True, text=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        answers = False
    return None if answers else "there is a docker command but no docker engine answers it"


def _lambda_adapter() -> str | None:
    return None if shutil.which("lambda-adapter") else "there is no lambda-adapter command"


def _pulumi() -> str | None:
    return None if shutil.which("pulumi") else "there is no pulumi command"


def _linux() -> str | None:
    return None if platform.system() == "Linux" else f"this is {platform.system()}"


def _text_generation() -> str | None:
    return None if importlib.util.find_spec("text_generation") else "the package does not install here"


REQUIREMENTS: Mapping[str, Requirement] = {
    "boot": Requirement("root, debootstrap, systemd-nspawn and apt, to boot machines", _boot),
    "checkov": Requirement("checkov, which make check installs", _checkov),
    "chromium": Requirement("a Chromium or Chrome, which needs no display", _chromium),
    "cloud": Requirement("the whole cloud of make cloud, and half an hour", _cloud),
    "docker": Requirement("a docker engine", _docker),
    "lambda-adapter": Requirement("the Lambda Web Adapter's binary, as lambda-adapter", _lambda_adapter),
    "linux": Requirement("/proc, to read memory and processor time from", _linux),
    "machines": Requirement("the AWS CLI and namespaces of the kernel, for the machines of make cloud", _machines),
    "outlines-core": Requirement("TGI's compiler of schemas", _outlines_core),
    "provider-aws": Requirement(f"Terraform's AWS provider {finding.VERSION}", finding.problem),
    "pulumi": Requirement("the pulumi command", _pulumi),
    "text-generation": Requirement("TGI's own Python client", _text_generation),
    **{
        name: Requirement("a client that tests/clients installs", functools.partial(environments.problem_with, name))
        for name in environments.names()
    },
}
