"""The stand-in's table of what the provider says when it refuses a value: `tests/aws/standin/provider.csv`."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

from cloud.deployment.terraform.finding import VERSION
from tests.aws.standin import models, tables
from tests.provider.probing import Probe
from tests.provider.rules import Row, marked

FILE = Path(tables.FOLDER) / "provider.csv"
SOURCE = f"provider {VERSION}"
_HEAD = (
    f"# The rules of Terraform's AWS provider {VERSION}, as it states them when it refuses a value. "
    "`python -m tests.provider`\n"
    "# writes this file; `tests/provider/wider.csv` lists what is left out. The rules have the words of limits.csv.\n"
)


def kept(rows: Iterable[Row]) -> list[Row]:
    """The rows that the stand-in needs. Not what 6.x or AWS allows, nor the enums that botocore has: they are newer."""
    wider = {(row["type"], row["property"], row["rule"]) for row in _wider()}
    enums = {
        (row["type"], row["property"])
        for row in tables.rows("calls")
        if "enum" in models.member(row["call"], row["member"]).metadata
    }
    return sorted(
        row
        for row in rows
        if (row.type, row.property, row.rule) not in wider
        and not (row.rule == "one of" and (row.type, row.property) in enums)
    )


def is_wider(probe: Probe) -> bool:
    """Whether the provider refuses a value that 6.x or AWS accepts."""
    return (probe.type, marked(probe.place.path)) in {(row["type"], row["property"]) for row in _wider()}


def write(rows: Iterable[Row]) -> None:
    with FILE.open("w", newline="") as file:
        file.write(_HEAD)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Row._fields, "source"])
        writer.writerows([*row, SOURCE] for row in kept(rows))


def read() -> list[Row]:
    return [Row(row["type"], row["property"], row["rule"], row["argument"]) for row in tables.rows("provider")]


@functools.cache
def _wider() -> tuple[Mapping[str, str], ...]:
    with Path(__file__).with_name("wider.csv").open(newline="") as file:
        return tuple(csv.DictReader(line for line in file if not line.startswith("#")))
