"""The file system of a machine: Debian with systemd, docker and AWS's CLI, from the package mirror that apt uses here.

It is made once, in `.cache/boot-root`, and never changed afterwards. `python -m tests.real_boot.debian_root` makes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".cache" / "boot-root"
SUITE = "trixie"
"""The first release of Debian whose AWS CLI (2.23) reads AWS_ENDPOINT_URL; that began with 2.13."""
PACKAGES = (
    "awscli", "cloud-init", "curl", "dbus", "docker-cli", "docker.io", "iproute2", "iptables", "procps", "python3",
    "systemd", "systemd-sysv", "xfsprogs",
)  # fmt: skip
NEEDED = ("apt-get", "debootstrap", "systemd-nspawn", "setpriv", "nsenter", "unshare", "ip")
"""Programs of this machine. On Debian and Ubuntu: apt install debootstrap systemd-container util-linux iproute2."""

_STAMP = "servestack-stamp"
_VERSION = 1
"""A higher one makes the file system again: raise it when `_make` makes another one."""
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""Keeps the installation from starting services (policy-rc.d)."""


class NoRoot(RuntimeError):
    """The file system could not be made."""


def debian_root() -> Path:
    """Return the folder of the file system. Makes it if it is missing or if what it must contain changed.

    Raises:
        NoRoot: apt has no Debian mirror here, or the mirror does not answer.
    """
    if is_made():
        return FOLDER
    mirror = debian_mirror()
    if mirror is None:
        raise NoRoot("apt names no mirror of Debian here: add one to its sources, and run apt-get update")
    unfinished = FOLDER.with_name(f"{FOLDER.name}.{os.getpid()}")
    try:
        _make(unfinished, mirror)
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


def _make(folder: Path, mirror: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run(["debootstrap", "--variant=minbase", SUITE, str(folder), mirror])
    (folder / "etc/apt/apt.conf.d/90host").write_text(_proxies())
    forbidding = folder / "usr/sbin/policy-rc.d"
    forbidding.write_text(_NO_SERVICES)
    forbidding.chmod(0o755)
    install = ["apt-get", "-o", "Dpkg::Options::=--force-unsafe-io", "install", "--yes", "--no-install-recommends"]
    _run(["chroot", str(folder), *install, *PACKAGES])
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


def _run(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise NoRoot(f"{' '.join(command[:2])} … ended with status {done.returncode}:\n{done.stdout[-2000:]}")


def _stamp() -> str:
    return hashlib.sha256("\n".join([str(_VERSION), SUITE, *PACKAGES]).encode()).hexdigest()


if __name__ == "__main__":
    if not is_made():
        print(f"Making the file system of the test machines in {FOLDER} (0.8 GB, once, 2 to 5 minutes) …", flush=True)
    try:
        debian_root()
    except NoRoot as error:
        sys.exit(str(error))
