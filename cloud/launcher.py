"""One `make cloud`, from the command line to the end: the parts start, the user deploys, everything ends together."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from cloud.addresses import Addresses, chosen_addresses
from cloud.arguments import Arguments
from cloud.banner import banner, logs
from cloud.demo.running import run_steps, table
from cloud.demo.steps import steps
from cloud.deployment.found import found
from cloud.exports import environment, exports, write_certificates, write_programs
from cloud.leftovers import MARK, end_marked
from cloud.lock import held
from cloud.machines.kinds import NSPAWN, PLAYED
from cloud.machines.nspawn.debian_root import NoRoot, debian_root
from cloud.machines.nspawn.packages import lowest_layer
from cloud.possible import CannotRun, check, nothing_creates
from cloud.project import ROOT, make_project
from local.serving import Processes

READY = "ready"
"""The line that each part prints when it can be used."""
_INHERITED = ("HOME", "LANG", "PATH", "TMPDIR", "VIRTUAL_ENV", "SERVESTACK_PROVIDER_AWS")

_OF_MAKE = frozenset(("ARGS", "STACK", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"))


class DemoFailed(Exception):
    """A step of the demo failed. `str()` names it."""


def serve(arguments: Arguments, out: TextIO) -> None:
    """Run the cloud until the demo has ended, or until one of these exceptions.

    Raises:
        local.serving.Stopped: the user ended it.
        local.children.ChildDied: a part ended that must not end.
        CannotRun, FolderTaken, PortTaken: nothing was started.
        DemoFailed: a step of the demo failed.
    """

    def say(text: str) -> None:
        out.write(f"{text}\n")
        out.flush()

    folder = arguments.folder
    check(folder, arguments.machines)
    way = found()
    if way.way == "none":
        raise CannotRun(nothing_creates(way.why))
    with held(folder):
        if ended := end_marked(MARK, str(folder)):
            say(f"Ended {ended} processes that an earlier cloud left.")
        addresses = chosen_addresses(arguments.port, arguments.https_port)
        if arguments.machines == NSPAWN:
            make_disks(say)
        prepare(folder)
        write_programs(folder, way.way)
        asyncio.run(_serve(arguments, addresses, folder, make_project(folder), say))


def make_disks(say: Callable[[str], None]) -> None:
    """Make what the disks of machines begin with, if it is not there. That takes minutes, once.

    Raises:
        CannotRun: it could not be made.
    """
    try:
        lowest_layer(debian_root(say), say)
    except NoRoot as error:
        raise CannotRun(str(error)) from error


def prepare(folder: Path) -> None:
    """Make the cloud's folder without what an earlier cloud wrote there."""
    for name in ("api", "control-plane", "machines"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)


async def _serve(
    arguments: Arguments, addresses: Addresses, folder: Path, project: Path, say: Callable[[str], None]
) -> None:
    async with Processes(say) as processes:
        await start_parts(
            processes,
            addresses,
            folder,
            domain=arguments.domain,
            speed=arguments.speed,
            machines=arguments.machines,
        )
        say("")
        if arguments.demo:
            await _demonstrate(processes, arguments, addresses, folder, project, say)
            return
        say(
            banner(
                addresses,
                folder=folder,
                project=project,
                domain=arguments.domain,
                speed=arguments.speed,
                machines=arguments.machines,
            )
        )
        await processes.until_ended()


async def _demonstrate(
    processes: Processes,
    arguments: Arguments,
    addresses: Addresses,
    folder: Path,
    project: Path,
    say: Callable[[str], None],
) -> None:
    """Run the demo, and say its table.

    Raises:
        DemoFailed: a step failed.
    """
    given = {name: os.path.expandvars(value) for name, value in exports(addresses, folder, arguments.domain).items()}
    variables = {**without_make(os.environ), **given, MARK: str(folder)}
    asked = run_steps(steps(arguments.domain), folder=project, environment=variables, say=say)
    taken = await processes.unless_ended(asked)
    say(f"\n{table(taken)}")
    if taken[-1].failed:
        raise DemoFailed(
            f"the step {taken[-1].title!r} failed; its output is above. {logs(folder, arguments.machines)}"
        )


def without_make(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables without those by which `make cloud ARGS=--demo` gives its own ARGS to every other make."""
    return {name: value for name, value in environment.items() if name not in _OF_MAKE}


async def start_parts(
    processes: Processes,
    addresses: Addresses,
    folder: Path,
    *,
    domain: str,
    speed: float = 1.0,
    machines: str = PLAYED,
) -> None:
    """Start the parts of a cloud, and wait until all of them can be used."""
    given = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {**given, **environment(addresses, folder), MARK: str(folder), "PYTHONUNBUFFERED": "1", "NO_PROXY": "*"}
    plane = ("--control-plane", addresses.endpoint)
    await _start(
        processes,
        "AWS's API",
        (
            "cloud.control_plane",
            *("--port", str(addresses.control_plane)),
            *("--folder", str(folder / "control-plane")),
            *("--load-balancer-ports", str(addresses.first_load_balancer)),
            *("--zone", domain, "--speed", str(speed)),
        ),
        own,
    )
    parts = {
        "load balancer": ("cloud.load_balancer", *plane, "--speed", str(speed)),
        "API": (
            *("cloud.api", *plane, "--port", str(addresses.https), "--proxy-port", str(addresses.proxy)),
            *("--folder", str(folder / "api"), "--speed", str(speed)),
        ),
        "machines": ("cloud.machines", *plane, "--folder", str(folder / "machines"), "--kind", machines),
    }
    await asyncio.gather(*(_start(processes, name, words, own) for name, words in parts.items()))
    authority = (folder / "api" / "ca.pem").read_text()
    (folder / "ca.pem").write_text(authority)
    write_certificates(folder, authority)


async def _start(processes: Processes, name: str, module: Sequence[str], environment: Mapping[str, str]) -> None:
    ready = asyncio.Event()

    def hear(line: str) -> bool:
        if line.strip() != READY:
            return False
        ready.set()
        return True

    command = [sys.executable, "-m", "local.child", *module]
    await processes.start(name, command, environment={**environment, "PYTHONPATH": str(ROOT)}, hear=hear)
    await processes.until_ready(name, ready.wait(), "ready")
