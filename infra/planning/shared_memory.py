"""Shared memory, `/dev/shm`, for replicas with more than one GPU.

docker gives a container 64 MiB. NCCL, by which the GPUs of one machine exchange data, needs about 9 MiB there for each
channel between two GPUs, and the servers need more. Their documentation asks for 1 GB (TGI), 16 GB (NIM) or 32 GB
(SGLang). A machine with one GPU keeps docker's own size.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.planning.plan import Container, Offer

SHARED_MEMORY_MB = 16_384
"""A limit: memory is taken when something is written. The smallest machine with several GPUs has 192 GiB."""


def shared_memory_notes(container: Container, offers: Sequence[Offer]) -> list[str]:
    """Return what a user should know about the default, if every offer has several GPUs."""
    if container.shm_size_mb is not None or any(offer.gpu_count == 1 for offer in offers):
        return []
    return [
        f"resources.shm_size is not set: a replica has several GPUs, so /dev/shm can take {SHARED_MEMORY_MB // 1024} "
        "GB. docker's own 64 MB are not enough for NCCL."
    ]
