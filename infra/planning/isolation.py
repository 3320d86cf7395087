"""What of a service lets its container out: what is in it then has the machine, and the machine's role."""

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
"""Folders that programs, settings, devices and sockets of the machine are in, docker's socket and the boot script among
them: who writes there can run what he likes as the machine's root."""


def isolation_notes(container: Container) -> list[str]:
    """A sentence for each thing that gives the container the machine."""
    return [
        f"{what} gives the container the machine and its role: it can read every secret of the run, and write its log "
        "and what it says of itself. Use it with images that you trust."
        for what in _ways_out(container)
    ]


def _ways_out(container: Container) -> Iterator[str]:
    if container.privileged:
        yield "privileged"
    for mount in container.mounts:
        # `//etc` is another path to POSIX, and not to docker.
        if _is_of_the_machine(PurePosixPath("/" + mount.instance_path.lstrip("/"))):
            yield f"The mount of {mount.instance_path}"


def _is_of_the_machine(path: PurePosixPath) -> bool:
    return any(path == known or known in path.parents or path in known.parents for known in OF_THE_MACHINE)
