"""The keys of a configuration that give the container control of its machine and of the machine's role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from infra.planning.plan import Container

OF_THE_MACHINE = tuple(
    PurePosixPath(path)
    for path in (
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/opt/servestack",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/sys",
        "/usr",
        "/var/lib/cloud",
        "/var/lib/containerd",
        "/var/lib/docker",
        "/var/run",
        "/var/spool",
    )
)
"""Folders with programs, settings, devices and sockets of the machine, for example docker's socket and the boot script.
A process that can write there can run commands as root on the machine."""


def isolation_notes(container: Container) -> list[str]:
    """Return a note for each key that gives the container control of the machine."""
    return [
        f"{what} gives the container control of its machine and the machine's role: it can read every secret of the "
        "run, and write to the run's log and state. Use it only with images that you trust."
        for what in _ways_out(container)
    ]


def _ways_out(container: Container) -> Iterator[str]:
    if container.privileged:
        yield "privileged"
    for mount in container.mounts:
        # `//etc` is another path for POSIX, but the same path for docker.
        if _is_of_the_machine(PurePosixPath("/" + mount.instance_path.lstrip("/"))):
            yield f"The mount of {mount.instance_path}"


def _is_of_the_machine(path: PurePosixPath) -> bool:
    return any(path == known or known in path.parents or path in known.parents for known in OF_THE_MACHINE)
