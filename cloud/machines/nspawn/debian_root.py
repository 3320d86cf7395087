"""The file system of a machine: Debian with systemd, docker and AWS's CLI, from the package mirror that apt uses here.

It is made once, in `.cache/boot-root`, and never changed afterwards. `python -m cloud.machines.nspawn.debian_root`
makes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parents[3] / ".cache" / "boot-root"
SUITE = "trixie"
"""The first release of Debian whose AWS CLI (2.23) reads AWS_ENDPOINT_URL; that began with 2.13."""
PACKAGES = (
    "awscli", "cloud-init", "curl", "dbus", "docker-cli", "docker.io", "iproute2", "iptables", "procps", "python3",
    "systemd", "systemd-sysv", "xfsprogs",
)  # fmt: skip
NEEDED = ("apt-get", "chroot", "debootstrap", "systemd-nspawn", "setpriv", "nsenter", "unshare", "ip")
"""Programs of this machine."""
INSTALL = "apt install debootstrap systemd-container util-linux iproute2"
MAKING = f"Making the file system of the machines in {FOLDER} (0.8 GB, once, 1 to 5 minutes) …"

_STAMP = "servestack-stamp"
_LINES = 60
"""Lines of the tools between two that are told."""
_VERSION = 1
"""A higher one makes the file system again: raise it when `_make` makes another one."""
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""Keeps the installation from starting services (policy-rc.d)."""


class NoRoot(RuntimeError):
    """The file system could not be made."""


def cannot_boot() -> str | None:
    """Return why this machine cannot boot machines, and what to do; `None`: it can."""
    if sys.platform != "linux":
        return "machines of systemd-nspawn need Linux: run it in a virtual machine with Linux"
    if os.geteuid() != 0:
        return "machines of systemd-nspawn need root: run it as root"
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        return f"there is no command {', '.join(missing)}: {INSTALL} (on Debian and Ubuntu)"
    if not is_made() and debian_mirror() is None:
        return "apt names no mirror of Debian: add one to its sources, and run apt-get update"
    return None


def debian_root(say: Callable[[str], None] | None = None) -> Path:
    """Return the folder of the file system. Makes it if it is missing or if what it must contain changed. `say` gets
    lines that tell how far it is.

    Raises:
        NoRoot: this machine cannot boot machines, or the mirror does not answer.
    """
    if problem := cannot_boot():
        raise NoRoot(problem)
    if is_made():
        return FOLDER
    tell = say or _say_nothing
    tell(MAKING)
    mirror = debian_mirror() or ""
    unfinished = FOLDER.with_name(f"{FOLDER.name}.{os.getpid()}")
    try:
        _make(unfinished, mirror, tell)
        shutil.rmtree(FOLDER, ignore_errors=True)
        unfinished.rename(FOLDER)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return FOLDER


def is_made() -> bool:
    stamp = FOLDER / _STAMP
    return stamp.exists() and stamp.read_text() == _stamp()


def debian_mirror() -> str | None:
    """Return the address of the first mirror of Debian in apt's own sources; `None`: it has none or did not update."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    for line in targets.stdout.splitlines():
        origin, _, rest = line.partition(" ")
        component, _, address = rest.partition(" ")
        if (origin, component) == ("Debian", "main"):
            return address
    return None


def _make(folder: Path, mirror: str, say: Callable[[str], None]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run(["debootstrap", "--variant=minbase", SUITE, str(folder), mirror], say)
    (folder / "etc/apt/apt.conf.d/90host").write_text(_proxies())
    forbidding = folder / "usr/sbin/policy-rc.d"
    forbidding.write_text(_NO_SERVICES)
    forbidding.chmod(0o755)
    install = ["apt-get", "-o", "Dpkg::Options::=--force-unsafe-io", "install", "--yes", "--no-install-recommends"]
    _run(["chroot", str(folder), *install, *PACKAGES], say)
    forbidding.unlink()
    for name in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(folder / name)
    for name in ("etc/machine-id", "etc/resolv.conf", "etc/apt/apt.conf.d/90host"):  # they are not this machine's
        (folder / name).unlink(missing_ok=True)
    (folder / _STAMP).write_text(_stamp())


def _proxies() -> str:
    """Return how apt reaches its mirror here, as configuration of apt."""
    lines = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line}\n" for line in lines.splitlines() if "proxy" in line.lower())


def _run(command: list[str], say: Callable[[str], None]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    written: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            written.append(line)
            if len(written) % _LINES == 0:
                say(f"  {line.strip()[:100]}")
    if process.returncode != 0:
        raise NoRoot(
            f"{' '.join(command[:2])} … ended with status {process.returncode}:\n{''.join(written)[-2000:]}\n"
            "If the mirror did not answer, check the network and apt's sources, and start again"
        )


def _say_nothing(_: str) -> None:
    """For who does not wait."""


def _stamp() -> str:
    return hashlib.sha256("\n".join([str(_VERSION), SUITE, *PACKAGES]).encode()).hexdigest()


if __name__ == "__main__":
    try:
        debian_root(lambda line: print(line, flush=True))
    except NoRoot as error:
        sys.exit(str(error))
