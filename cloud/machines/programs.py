"""The programs of a machine that are not this machine's own: what they are in place of, and how they are written.

The others are real: bash, coreutils, awk, curl, git. Only the places that curl connects to are others.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cloud.machines.calls import BASE_PYTHON, write_program
from cloud.possible import SYSTEM_PATH
from infra.planning.boot import REPLICA_PORT

HANDED_ON = ("docker", "iptables", "nsenter", "systemctl", "systemd-run")
"""What the machine itself answers (`machine.py`)."""
_SCRIPTS: Mapping[str, str] = {
    "lsblk": "printf '/dev/nvme0n1 Amazon Elastic Block Store\\n'",  # no disk of an instance store
    "mountpoint": "exit 1",
    "journalctl": "exit 0",
}
_NOT_AS_ROOT: Mapping[str, str] = {"chown": "exit 0"}
"""Only root can give files away, and without root everything belongs to the user who runs the cloud."""
_NVIDIA_SMI = Path(__file__).with_name("nvidia_smi.py")
_CATALOG = Path(__file__).parents[2] / "infra" / "planning" / "gpu_catalog.csv"


def write_programs(folder: Path, *, address: str, metadata_port: int, inside_port: int, calls: Path, aws: Path) -> None:
    """Write the programs into `folder`.

    Args:
        address: the instance's own.
        metadata_port: where its metadata service listens on this address.
        inside_port: where the machine itself reaches the port of the replica.
        calls: the socket that answers `HANDED_ON`.
        aws: the socket of the AWS CLI.
    """
    folder.mkdir(parents=True)
    for name in HANDED_ON:
        write_program(folder / name, {"": calls})
    write_program(folder / "aws", {"": aws})
    real = shutil.which("curl", path=SYSTEM_PATH)
    to_metadata = f"--connect-to 169.254.169.254:80:{address}:{metadata_port}"
    to_replica = f"--connect-to 127.0.0.1:{REPLICA_PORT}:{address}:{inside_port}"
    scripts = {"curl": f"exec {real} --noproxy '*' {to_metadata} {to_replica} \"$@\"", **_SCRIPTS}
    for name, text in {**scripts, **(_NOT_AS_ROOT if os.geteuid() != 0 else {})}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


def nvidia_smi(type: str, running: str, python: str = BASE_PYTHON) -> str:
    """Return the program `nvidia-smi` of an instance type. `running`: a pattern of files with the number of running
    requests."""
    text = _NVIDIA_SMI.read_text(encoding="utf-8")
    gpus = json.dumps([[name, memory] for name, memory in gpus_of(type)])
    text = text.replace("GPUS: list[tuple[str, int]] = []", f"GPUS: list[tuple[str, int]] = {gpus}").replace(
        'RUNNING = ""', f"RUNNING = {json.dumps(running)}"
    )
    return f"#!{python} -IS\n{text}"


def write_nvidia_smi(path: Path, type: str, running: str, python: str = BASE_PYTHON) -> None:
    """Write `nvidia_smi` into a file."""
    path.write_text(nvidia_smi(type, running, python), encoding="utf-8")
    path.chmod(0o755)


def gpus_of(type: str) -> Sequence[tuple[str, int]]:
    """Return the name and the memory in MiB of each GPU of an instance type, by the catalog; none: it is not there."""
    lines = [line for line in _CATALOG.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        if row["instance_type"] == type:
            return [(f"NVIDIA {row['gpu']}", int(row["gpu_mem_mib_api"]))] * int(row["gpu_count"])
    return []
