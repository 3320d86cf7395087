"""What a gateway costs while it streams. Its function holds its memory for as long as an answer takes."""

from __future__ import annotations

import math

from infra.planning import GatewayPlan
from infra.planning.prices import HOURS, read_prices

ANSWERS, SECONDS = 1000, 20
"""The load that is shown: so many streamed answers, each of so many seconds."""
MEGABYTES, MILLION = 1024, 1_000_000


def at_load(plan: GatewayPlan) -> str:
    """Return the cost of answers at the memory of the plan's function, and from how many streams around the clock the
    gateway costs more than a small machine."""
    prices = read_prices()
    machine, address = prices["small machine"], prices["public address"]
    stream, other = stream_month(plan.memory_size), machine_month()
    streams = math.floor(other / stream) + 1
    held = ANSWERS * SECONDS * plan.memory_size / MEGABYTES
    around = "1 stream" if streams == 1 else f"{streams} streams"
    return (
        f"At load: {ANSWERS:,} streamed answers of {SECONDS} s cost ${answers_cost(plan.memory_size):.3f}: "
        f"{held:,.0f} GB-seconds of the function at {plan.memory_size} MB for "
        f"${held * prices['function time'].usd:.4f}, and the requests to the function and to the API for "
        f"${ANSWERS * request_cost():.4f}. One stream around the clock costs ${stream:.2f} a month. A {machine.what} "
        f"with a public address (${machine.usd:g} and ${address.usd:g} an hour) costs ${other:.2f} a month: from "
        f"{around} around the clock, the gateway costs more than this machine would."
    )


def answers_cost(memory_size: int) -> float:
    """Return what the answers cost in US dollars. `memory_size`: of the function, in MB."""
    held = ANSWERS * SECONDS * memory_size / MEGABYTES
    return held * read_prices()["function time"].usd + ANSWERS * request_cost()


def stream_month(memory_size: int) -> float:
    """Return what one stream after the other costs in a month, in US dollars."""
    return answers_cost(memory_size) / (ANSWERS * SECONDS) * HOURS * 3600


def machine_month() -> float:
    """Return what the small machine costs a month, in US dollars."""
    prices = read_prices()
    return (prices["small machine"].usd + prices["public address"].usd) * HOURS


def request_cost() -> float:
    """US dollars for one request to the function and to the API."""
    prices = read_prices()
    return (prices["function request"].usd + prices["API request"].usd) / MILLION
