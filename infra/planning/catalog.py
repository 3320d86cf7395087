"""The catalog: EC2's GPU instance types, their resources, and their list prices on one date.

The data is in the two CSV files of this folder, which name their sources. The catalog is committed so that the same
configuration gives the same plan, even after AWS changes its prices.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

PRICES_REGION = "us-east-1"
"""The region of the catalog's prices. In other regions they are an estimate, and messages say so."""

_FOLDER = Path(__file__).parent

PRICES_AS_OF = (_FOLDER / "gpu_catalog.csv").read_text(encoding="utf-8").partition("generated ")[2][:10]
"""The day of the catalog's prices, from the first line of the file."""


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """One EC2 instance type."""

    name: str
    vcpus: int
    memory_gb: float
    """Main memory in GiB. dstack writes it as GB."""
    gpu: str
    """The GPU's name as dstack spells it (`A10G`, `RTXPRO6000`)."""
    gpu_count: int
    gpu_memory_gb: float
    """Memory of one GPU in GB, as the card is sold: 24 for an A10G, for which EC2 reports 22.35 GiB."""
    usable_gpu_memory_gb: float
    """Memory of one GPU in GiB, as EC2 reports it, without the part that the card keeps. A model must fit into it."""
    compute_capability: tuple[int, int]
    vendor: Literal["nvidia"] = "nvidia"
    arch: Literal["x86", "arm"]
    nvme_gb: int
    """The size of all local NVMe disks together, in GB."""
    price: float
    """On-demand Linux list price in US dollars an hour, in `PRICES_REGION` on `PRICES_AS_OF`."""

    @property
    def total_gpu_memory_gb(self) -> float:
        """The memory of all GPUs in GB, as sold."""
        return self.gpu_count * self.gpu_memory_gb


@cache
def read_catalog() -> tuple[InstanceType, ...]:
    """Return every instance type of the committed catalog, in the order of the file."""
    gpus = {row["gpu"]: row for row in _rows("gpus.csv")}
    return tuple(_instance_type(row, gpus[row["gpu"]]) for row in _rows("gpu_catalog.csv"))


def _rows(file: str) -> Iterator[dict[str, str]]:
    lines = (_FOLDER / file).read_text(encoding="utf-8").splitlines()
    yield from csv.DictReader(line for line in lines if not line.startswith("#"))


def _instance_type(row: Mapping[str, str], gpu: Mapping[str, str]) -> InstanceType:
    major, minor = gpu["compute_capability"].split(".")
    return InstanceType(
        name=row["instance_type"],
        vcpus=int(row["vcpu"]),
        memory_gb=float(row["ram_gib"]),
        gpu=row["gpu"],
        gpu_count=int(row["gpu_count"]),
        gpu_memory_gb=float(row["gpu_mem_nominal_gb"]),
        usable_gpu_memory_gb=float(row["gpu_mem_gib_api"]) - float(gpu["kept_gib"]),
        compute_capability=(int(major), int(minor)),
        arch="arm" if row["arch"] == "arm64" else "x86",
        nvme_gb=int(row["local_nvme_gb"]),
        price=float(row["usd_hr_us_east_1_linux_od"]),
    )
