"""List prices, from prices.csv. The catalog has those of instance types with a GPU."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infra.planning.plan import Offer

HOURS = 730
"""The hours of a month in AWS's calculator: a twelfth of 365 days."""

_FILE = Path(__file__).parent / "prices.csv"


@dataclass(frozen=True, kw_only=True)
class Price:
    """A list price of us-east-1."""

    name: str
    counted: bool
    usd: float
    """US dollars a `unit`."""
    unit: str
    what: str
    source: str
    as_of: str


@cache
def read_prices() -> Mapping[str, Price]:
    """Return every price of prices.csv by its name."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return {
        row["name"]: Price(
            name=row["name"],
            counted=row["counted"] == "yes",
            usd=float(row["usd"]),
            unit=row["unit"],
            what=row["what"],
            source=row["source"],
            as_of=row["as of"],
        )
        for row in csv.DictReader(line for line in lines if not line.startswith("#"))
    }


def replica_hour(offer: Offer) -> float:
    """Return what a replica costs an hour in US dollars, with its root volume and its address."""
    prices = read_prices()
    return offer.price + offer.disk_gb * prices["root volume"].usd / HOURS + prices["public address"].usd
