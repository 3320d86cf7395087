"""The demo of `make cloud`: its steps run one after the other, and end with it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from cloud.demo.running import Taken, run_steps, table
from cloud.demo.steps import Step, steps
from cloud.launcher import without_make
from cloud.project import ROOT
from tests.support.requirements import require


def test_a_make_of_the_demo_has_arguments_of_its_own(tmp_path: Path) -> None:
    """As in `make cloud ARGS=--demo`, whose demo runs `make status`."""
    (tmp_path / "Makefile").write_text("ARGS ?=\ninner:\n\t@echo [$(ARGS)]\nouter:\n\t@env -0\n")
    outer = subprocess.run(["make", "-C", str(tmp_path), "-s", "outer", "ARGS=--demo"], capture_output=True, text=True)
    environment = dict(line.split("=", 1) for line in outer.stdout.split("\0") if line)
    assert environment["ARGS"] == "--demo"
    command = ["make", "-C", str(tmp_path), "-s", "--no-print-directory", "inner"]
    inner = subprocess.run(command, env=without_make(environment), capture_output=True, text=True)
    assert inner.stdout == "[]\n"


async def _steps(folder: Path, *steps: Step) -> tuple[list[Taken], list[str]]:
    said: list[str] = []
    return await run_steps(steps, folder=folder, environment=dict(os.environ), say=said.append), said


def _step(title: str, command: str) -> Step:
    return Step(title=title, command=command, answered=lambda output: output.splitlines()[-1] if output else None)


_ONE_STEP = """
import asyncio, os, pathlib
from cloud.demo.running import run_steps
from cloud.demo.steps import Step
step = Step(title="first", command="echo $$; tail -f /dev/null; echo never", answered=str)
say = lambda line: print(line, flush=True)
asyncio.run(run_steps([step], folder=pathlib.Path.cwd(), environment=dict(os.environ), say=say))
"""


def test_a_step_of_the_demo_ends_with_a_launcher_that_is_killed() -> None:
    require("linux")
    launcher = subprocess.Popen([sys.executable, "-c", _ONE_STEP], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    process = next(int(line) for line in launcher.stdout if line.startswith("    "))
    step = os.pidfd_open(process)
    launcher.kill()
    launcher.communicate()
    assert select.select([step], [], [], 60)[0] == [step]
    os.close(step)


def test_the_demo_ends_at_the_step_that_failed_and_shows_a_table(tmp_path: Path) -> None:
    import asyncio

    steps = [_step("first", "echo a; echo b"), _step("second", "echo c; exit 3"), _step("third", "echo d")]
    taken, said = asyncio.run(_steps(tmp_path, *steps))
    assert [(one.title, one.answered, one.failed) for one in taken] == [
        ("first", "b", False),
        ("second", "failed with status 3", True),
    ]
    assert [line for line in said if line.startswith("    ")] == ["    a", "    b", "    c"]
    shown = table([Taken(title="deploy", seconds=61.25, answered="62 resources created")])
    assert shown == ("step    seconds  what answered\ndeploy     61.2  62 resources created\nall        61.2")


STATUS = """RUN                    STATE                    TYPE
tgi                    serving: 1 of 1 healthy
  i-f9c65ae1ab9ba4da8  healthy                  g4dn.xlarge
vllm                   serving: {healthy} of 2 healthy

tgi: https://tgi.models.localhost
"""


def test_the_step_of_make_status_needs_all_replicas_of_both_services() -> None:
    (step,) = [one for one in steps("models.localhost") if one.title == "make status"]
    assert step.answered(STATUS.format(healthy=2)) == "tgi serving: 1 of 1 healthy; vllm serving: 2 of 2 healthy"
    assert step.answered(STATUS.format(healthy=1)) is None
