"""The addresses around a test machine, and what its GPUs say."""

from __future__ import annotations

from collections.abc import Mapping

from cloud.machines.nspawn.guest import REGISTRY_ADDRESS, File, files

REGISTRY_PORT = 5000
REGISTRY = f"{REGISTRY_ADDRESS}:{REGISTRY_PORT}"
AWS_PORT = 4566
LOGS_PORT = 4567
"""CloudWatch Logs has a port of its own, so that it alone can stop answering."""
AWS_ENDPOINT = f"http://127.0.0.1:{AWS_PORT}"
LOGS_ENDPOINT = f"http://127.0.0.1:{LOGS_PORT}"
REGION = "us-east-1"


def machine_files(*, gpus: int) -> Mapping[str, File]:
    """Return the files of a machine that says it has so many GPUs."""
    return files(
        endpoint=AWS_ENDPOINT,
        logs_endpoint=LOGS_ENDPOINT,
        region=REGION,
        nvidia_smi=_nvidia_smi(gpus),
        insecure_registries=[REGISTRY],
    )


def _nvidia_smi(gpus: int) -> str:
    listed = "".join(f"GPU {index}: NVIDIA L4 (UUID: GPU-{index})\n" for index in range(gpus))
    measured = "87, 20123, 23034, 61, 71.52\n" * gpus
    asked = f"case $* in *--query-gpu=*) cat <<END\n{measured}END\n;; *) cat <<END\n{listed}END\n;; esac\n"
    return f"#!/bin/sh\n{asked}"
