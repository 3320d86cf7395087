"""What `make plan` says that a gateway costs while it streams, against the arithmetic of docs/plan.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.plan.load import answers_cost, at_load, machine_month, request_cost, stream_month
from infra.planning import read_catalog
from tests.preflight.plans import gateway_plan


def test_a_thousand_answers_of_20_s_cost_13_cents_at_512_mb_and_half_at_256() -> None:
    """1,000 x 20 s x 0.5 GB are 10,000 GB-seconds; a request costs $0.20 + $3.50 a million."""
    requests = 1000 * (0.20 + 3.50) / 1_000_000
    assert request_cost() == pytest.approx(requests / 1000)
    assert answers_cost(512) == pytest.approx(10_000 * 0.0000133334 + requests)
    assert answers_cost(256) == pytest.approx(5_000 * 0.0000133334 + requests)
    assert (f"{answers_cost(512):.2f}", f"{answers_cost(256):.2f}") == ("0.14", "0.07")


def test_a_busy_g6_xlarge_costs_7_cents_for_the_same_answers() -> None:
    (price,) = [one.price for one in read_catalog() if one.name == "g6.xlarge"]
    assert f"{1000 * 20 / 64 / 3600 * price:.2f}" == "0.07", "64 streams share it"


def test_a_stream_around_the_clock_is_131_400_answers_a_month() -> None:
    assert stream_month(256) == pytest.approx(131_400 / 1000 * answers_cost(256))
    assert machine_month() == pytest.approx(730 * (0.0168 + 0.005))


@pytest.mark.parametrize(("memory", "streams"), [(128, 4), (256, 2), (512, 1), (1769, 1)])
def test_the_number_of_streams_is_the_first_that_costs_more_than_the_machine(memory: int, streams: int) -> None:
    assert (streams - 1) * stream_month(memory) <= machine_month() < streams * stream_month(memory)
    said = at_load(replace(gateway_plan(), memory_size=memory))
    assert f": from {streams} stream{'s' if streams > 1 else ''} around the clock, the gateway costs more" in said
