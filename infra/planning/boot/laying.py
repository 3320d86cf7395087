"""What replicas fetch from the gateway's bucket: archives, and the part of the boot script that lays them.

An object is named `runs/<run>/<SHA-256 of its content>`. User data, which has only 16 KB, names the script's hash, and
the script names those of the archives. So a changed file changes user data, which replaces the replicas.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from infra.planning.boot.quoting import array
from infra.planning.plan import Container, ServicePlan


def object_key(run: str, hash_: str) -> str:
    """Return the key of an object of a run, or of all of them for `*`; no other run has this prefix."""
    return f"runs/{run}/{hash_}"


def objects(plan: ServicePlan) -> Mapping[str, bytes]:
    """Return everything that a replica of `plan` fetches, by the hash of its content."""
    if not plan.lays:
        return {}
    text = laying_script(plan).encode("ascii")
    return {laying_hash(plan): text, **{archive.sha256: archive.data for archive in plan.archives}}


def laying_hash(plan: ServicePlan) -> str:
    """Return the hash of the script; empty: the plan lays nothing."""
    return sha256(laying_script(plan).encode("ascii")).hexdigest() if plan.lays else ""


def laying_script(plan: ServicePlan) -> str:
    """Return the script itself: `laying.sh` and its constants."""
    repository: list[str] = []
    if clone := plan.repository:
        changes = clone.changes.sha256 if clone.changes else ""
        repository = [clone.url, clone.branch or "", clone.hash or "", clone.path, clone.if_exists, changes]
    constants = (
        array("FILES", [f"{file.archive.sha256} {file.path}" for file in plan.files]),
        array("REPOSITORY", repository),
        array("WHERE", where(plan.container)),
    )
    return "\n".join([*constants, (Path(__file__).parent / "laying.sh").read_text(encoding="ascii")])


def where(container: Container) -> list[str]:
    """Return the options of `docker run` that decide where a process begins, and as whom."""
    options: list[str] = []
    if container.working_dir is not None:
        options += ["--workdir", container.working_dir]
    if container.user is not None:
        options += ["--user", container.user]
    return options
