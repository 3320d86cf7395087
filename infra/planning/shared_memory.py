"""Shared memory, `/dev/shm`, for replicas with more than one GPU.

docker gives a container 64 MiB. NCCL, by which GPUs of one machine exchange data, takes about 9 MiB for each channel of
each pair, and the servers have queues of their own there. Their documentation asks for 1 GB (TGI), 16 GB (NIM) or 32 GB
(SGLang).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from infra.configuration import ServiceConfiguration
from infra.planning.plan import Container, Offer

SHARED_MEMORY_MB = 16_384
"""A limit: the memory is taken when something is written. The smallest machine with several GPUs has 192 GiB."""


def with_shared_memory(container: Container, offers: Sequence[Offer]) -> Container:
    """Return the container with enough shared memory for several GPUs, if the configuration does not set it."""
    if container.shm_size_mb is not None or not _several_gpus(offers):
        return container
    return replace(container, shm_size_mb=SHARED_MEMORY_MB)


def shared_memory_notes(configuration: ServiceConfiguration, offers: Sequence[Offer]) -> list[str]:
    """Return what a user should know about the default."""
    if configuration.resources.shm_size or not _several_gpus(offers):
        return []
    return [
        f"shm_size is not set, and a replica has several GPUs: /dev/shm can take {SHARED_MEMORY_MB // 1024} GB, because "
        "NCCL does not start with docker's 64 MB."
    ]


def _several_gpus(offers: Sequence[Offer]) -> bool:
    return any(offer.gpu_count > 1 for offer in offers)
