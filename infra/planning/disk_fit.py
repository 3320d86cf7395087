"""Whether the disk of a replica has room for the weights and the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from infra.planning.buying import MACHINE_IMAGE_GB
from infra.planning.model_server import Loaded
from infra.planning.plan import Container, Offer
from infra.planning.weights import Weights

IMAGE_GB = 30
"""What the image of a model server takes, unpacked: `vllm/vllm-openai` of 2025 has 25 to 29 GB. Smaller images leave
more room."""
_GB = 2**30 / 1e9


def disk_notes(offers: Sequence[Offer], loaded: Loaded, container: Container, weights: Weights) -> list[str]:
    """Return a warning about offers whose disk is too small for the weights and the image.

    The replica keeps both on the machine's own NVMe disk, if that has more room than the root volume, and else on the
    root volume (`infra/planning/boot/disk.sh`). Folders of `volumes` are on the root volume.
    """
    if weights.download_gib is None:
        return []
    download = weights.download_gib * _GB
    own_folder = loaded.kept is not None and any(
        PurePosixPath(folder).is_relative_to(mount.path) for folder in loaded.kept for mount in container.mounts
    )
    image = 0 if own_folder else IMAGE_GB
    small = [offer for offer in offers if _room_gb(offer, root_only=own_folder) < download + image]
    if not small:
        return []
    least = min(small, key=lambda offer: _room_gb(offer, root_only=own_folder))
    room = max(0, _room_gb(least, root_only=own_folder))
    beside = "" if own_folder else f", and the image of the server up to {IMAGE_GB} GB"
    where = "the folder of `volumes` on the root volume" if own_folder else "its disk"
    return [
        f"The files of {weights.repo} have {download:.0f} GB{beside}. {least.instance_type} has about {room:.0f} GB of "
        f"room for them on {where}: set resources.disk to {_needed_disk(download + image)}GB or more."
    ]


def _room_gb(offer: Offer, *, root_only: bool) -> float:
    root = offer.disk_gb - MACHINE_IMAGE_GB
    return root if root_only else max(offer.nvme_gb, root)


def _needed_disk(gb: float) -> int:
    """Return the size of a root volume with that much room, in steps of 50 GB."""
    return -(-int(gb + MACHINE_IMAGE_GB) // 50) * 50
