"""`python -m commands.catalog`: write the prices of infra/planning/gpu_catalog.csv again, from gpuhunt's catalog.

gpuhunt downloads its catalog. Install it first: `.venv/bin/python -m pip install gpuhunt==0.1.34`. Without gpuhunt,
give the path of a copy of the catalog: `python -m commands.catalog aws.csv`.

gpuhunt knows prices, CPUs, memory and GPUs, but no disks and no network. So the script changes prices, checks what both
catalogs know, and lists new instance types, whose rows a person adds.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import io
import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.planning import PRICES_REGION

CATALOG = Path(__file__).parents[1] / "infra" / "planning" / "gpu_catalog.csv"
PRICE = "usd_hr_us_east_1_linux_od"
SAME = {"vcpu": "cpu", "ram_gib": "memory", "gpu_count": "gpu_count", "gpu": "gpu_name"}
"""The columns that both catalogs have: our name, and the name that gpuhunt uses."""
LEFT_OUT = ("g4ad.", "g5g.", "g6f.", "gr6f.", "p3.", "p3dn.", "p5e.", "p6e-")
"""The instance types that the catalog leaves out. Its first lines say why."""

Row = Mapping[str, str]


class CannotUpdate(Exception):
    """The catalog stays as it is. `str()` says why and what to do."""


def main(arguments: Sequence[str], *, catalog: Path = CATALOG) -> int:
    """Update the catalog; return 0, or 1 if it stays as it is."""
    parser = argparse.ArgumentParser(
        prog="python -m commands.catalog", description="Write the prices of the catalog again, from gpuhunt."
    )
    parser.add_argument(
        "file", nargs="?", type=Path, help="gpuhunt's catalog of AWS, a CSV. Default: gpuhunt downloads it"
    )
    parser.add_argument(
        "--as-of", default=f"{datetime.now(UTC):%Y-%m-%d}", help="the day of the prices. Default: today"
    )
    given = parser.parse_args(arguments)
    try:
        offers = _downloaded() if given.file is None else _read(given.file)
        text, said = updated(catalog.read_text(encoding="utf-8"), offers, as_of=given.as_of)
    except CannotUpdate as error:
        print(error, file=sys.stderr)
        return 1
    catalog.write_text(text, encoding="utf-8")
    print("\n".join([*said, f"{catalog}: prices of {given.as_of}"]))
    return 0


def updated(text: str, offers: Iterable[Row], *, as_of: str) -> tuple[str, list[str]]:
    """Return the catalog's text with the prices of `offers`, and what a person must know, a sentence each.

    Args:
        text: the catalog, whose first two lines name the day and the source of the prices.
        offers: rows of gpuhunt's catalog of AWS, with the columns that its `storage.py` lists.
        as_of: the day of the prices.

    Raises:
        CannotUpdate: the two catalogs contradict each other.
    """
    here = {
        one["instance_name"]: one
        for one in offers
        if one["location"] == PRICES_REGION and one["spot"].lower() == "false" and float(one["gpu_count"] or 0) >= 1
    }
    lines = text.splitlines(keepends=True)
    comments = [line for line in lines if line.startswith("#")]
    reader = csv.DictReader(line for line in lines if not line.startswith("#"))
    rows = list(reader)
    wrong = [problem for row in rows if row["instance_type"] in here for problem in _differences(row, here)]
    if not here:
        wrong = [f"gpuhunt's catalog has no GPU instance type in {PRICES_REGION}"]
    if wrong:
        raise CannotUpdate(
            "\n".join([*wrong, "Nothing is written. Check these values, and correct the wrong catalog."])
        )
    written = io.StringIO()
    writer = csv.DictWriter(written, reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, PRICE: _price(row, here)} for row in rows)
    comments[0] = re.sub(r"generated [0-9-]{10}", f"generated {as_of}", comments[0])
    comments[1] = "# Source of the prices: gpuhunt's catalog of AWS, by python -m commands.catalog.\n"
    known = {row["instance_type"] for row in rows}
    said = [f"{name}: not in gpuhunt's catalog. Its price stays." for name in known - here.keys()]
    said += [
        f"{name} ({one['gpu_count']} x {one['gpu_name']}): not in our catalog. To offer it, add a row by hand: "
        "aws ec2 describe-instance-types has its disks and network."
        for name, one in here.items()
        if name not in known and _is_ours(name, one)
    ]
    return "".join(comments) + written.getvalue(), sorted(said)


def _price(row: Row, here: Mapping[str, Row]) -> str:
    found = here.get(row["instance_type"])
    return row[PRICE] if found is None else repr(float(found["price"])).removesuffix(".0")


def _differences(row: Row, here: Mapping[str, Row]) -> list[str]:
    found = here[row["instance_type"]]
    return [
        f"{row['instance_type']}: {ours} is {row[ours]} in our catalog, and {found[theirs]} in gpuhunt's"
        for ours, theirs in SAME.items()
        if _plain(row[ours]) != _plain(found[theirs])
    ]


def _plain(value: str) -> str:
    return value.removesuffix(".0")


def _is_ours(name: str, offer: Row) -> bool:
    nvidia = (offer.get("gpu_vendor") or "nvidia").lower() == "nvidia"
    x86 = (offer.get("cpu_arch") or "x86").lower() == "x86"
    return nvidia and x86 and not name.startswith(LEFT_OUT)


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise CannotUpdate(f"{path}: {error.strerror}. Give the path of gpuhunt's aws.csv") from None


def _downloaded() -> list[dict[str, str]]:
    try:
        gpuhunt: Any = importlib.import_module("gpuhunt")
    except ModuleNotFoundError:
        raise CannotUpdate(
            "gpuhunt is not installed: .venv/bin/python -m pip install gpuhunt==0.1.34. Or give the path of its aws.csv"
        ) from None
    print("Downloading gpuhunt's catalog …", flush=True)
    logging.getLogger("gpuhunt").setLevel(logging.CRITICAL)  # else each provider out of reach prints a traceback
    found = gpuhunt.Catalog(auto_reload=False)
    with contextlib.suppress(gpuhunt.GPUHuntError):
        found.load()
    if "aws" not in found.catalog:
        raise CannotUpdate(
            "gpuhunt's catalog of AWS cannot be downloaded. Check the network, or give the path of a copy"
        )
    fields = ("instance_name", "location", "price", "cpu", "memory", "gpu_count", "gpu_name", "spot")
    return [
        {
            **{field: str(getattr(item, field)) for field in fields},
            "gpu_vendor": item.gpu_vendor.value if item.gpu_vendor else "",
            "cpu_arch": item.cpu_arch.value,
        }
        for item in found.query(provider="aws", spot=False)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
