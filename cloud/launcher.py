"""One `make cloud`, from the command line to the end: the parts start, the user deploys, everything ends together."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import certifi

from cloud.addresses import CERTIFICATES, Addresses, chosen_addresses, environment
from cloud.arguments import Arguments
from cloud.banner import banner
from cloud.leftovers import MARK, end_leftovers
from cloud.project import ROOT, make_project
from local.serving import Processes

READY = "ready"
"""The line that each part prints when it can be used."""
_INHERITED = ("HOME", "LANG", "PATH", "TMPDIR", "VIRTUAL_ENV", "SERVESTACK_PROVIDER_AWS")


def serve(arguments: Arguments, out: TextIO) -> None:
    """Run the cloud until its end, which is one of these exceptions.

    Raises:
        local.serving.Stopped: the user ended it, or the demo is over.
        local.children.ChildDied: a part ended that must not end.
        cloud.addresses.PortTaken: nothing was started.
    """

    def say(text: str) -> None:
        out.write(f"{text}\n")
        out.flush()

    folder = arguments.folder.absolute()
    if ended := end_leftovers(folder):
        say(f"Ended {ended} processes that an earlier cloud left.")
    addresses = chosen_addresses(arguments.port, arguments.https_port)
    prepare(folder)
    project = make_project(folder)
    asyncio.run(_serve(arguments, addresses, folder, project, say))


def prepare(folder: Path) -> None:
    """Make the cloud's folder without what an earlier cloud wrote there. What was downloaded stays."""
    for name in ("api", "control-plane", "logs", "machines"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)


async def _serve(
    arguments: Arguments, addresses: Addresses, folder: Path, project: Path, say: Callable[[str], None]
) -> None:
    async with Processes(say) as processes:
        await start_parts(processes, addresses, folder, domain=arguments.domain, speed=arguments.speed)
        say("")
        say(banner(addresses, folder=folder, project=project, domain=arguments.domain, speed=arguments.speed))
        await processes.until_ended()


async def start_parts(
    processes: Processes, addresses: Addresses, folder: Path, *, domain: str, speed: float = 1.0
) -> None:
    """Start the parts of a cloud, and wait until all of them can be used."""
    given = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {**given, **environment(addresses, folder), MARK: str(folder), "PYTHONUNBUFFERED": "1", "NO_PROXY": "*"}
    del own["SSL_CERT_FILE"]  # it is written when the API has made its authority
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
            *("--folder", str(folder / "api")),
        ),
        "machines": ("cloud.machines", *plane, "--folder", str(folder / "machines")),
    }
    await asyncio.gather(*(_start(processes, name, words, own) for name, words in parts.items()))
    authority = (folder / "api" / "ca.pem").read_text()
    shutil.copy(folder / "api" / "ca.pem", folder / "ca.pem")
    (folder / CERTIFICATES).write_text(Path(certifi.where()).read_text() + authority)


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
