"""The default size of /dev/shm."""

from __future__ import annotations

import pytest

from tests.boot.planned import planned

NOTE = (
    "resources.shm_size is not set: a replica has several GPUs, so /dev/shm can take 16 GB. docker's own 64 MB are not "
    "enough for NCCL."
)


@pytest.mark.parametrize(
    ("resources", "notes"),
    [
        ("gpu: A10G:4", (NOTE,)),
        ("gpu: {memory: 24GB, count: 2..8}", (NOTE,)),
        ("{gpu: A10G:4, shm_size: 1GB}", ()),
        ("gpu: A10G:1", ()),
        ("gpu: 24GB", ()),
    ],
)
def test_the_plan_says_so_where_every_offer_has_several_gpus(resources: str, notes: tuple[str, ...]) -> None:
    written = resources if resources.startswith("{") else f"{{{resources}}}"
    assert planned(service=f"type: service\nimage: tgi\nport: 80\nresources: {written}\n").notes == notes
