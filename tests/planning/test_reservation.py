"""Capacity Reservations and Capacity Blocks, and how long a service tries and ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.configuration import ServiceSettings
from infra.planning import PlanError, ServicePlan
from infra.planning.running import Reservation, Utilization

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nimage: i\nport: 80\nresources: {gpu: 80GB:8}\n"
RESERVED = f"{SERVICE}reservation: cr-0123456789abcdef0\n"
PLACED = f"{RESERVED}instance_types: [p5.48xlarge]\navailability_zones: [us-east-1a]\n"


@pytest.mark.parametrize(
    ("block", "said", "price"),
    [
        (
            True,
            "Capacity Block cr-0123456789abcdef0, whose price you paid when you bought it. So their instances cost $0 "
            "an hour here, in the budget too.",
            0,
        ),
        (False, "Capacity Reservation cr-", 55.04),
    ],
)
def test_replicas_run_in_the_reservation(plan: Plan, block: bool, said: str, price: float) -> None:
    made = plan(PLACED, settings=ServiceSettings(configuration="c", capacity_block=block))
    assert made.reservation == Reservation(id="cr-0123456789abcdef0", capacity_block=block)
    assert [(offer.instance_type, offer.price) for offer in made.offers] == [("p5.48xlarge", price)]
    assert any(said in note for note in made.notes)


def test_a_reservation_needs_its_instance_type_and_its_zone(plan: Plan) -> None:
    with pytest.raises(PlanError) as caught:
        plan(RESERVED)
    assert [(problem.where, problem.rule) for problem in caught.value.problems] == [
        ("reservation", "a reservation is for one instance type"),
        ("availability_zones", "a reservation is in one availability zone"),
    ]


def test_a_capacity_block_without_an_id_is_refused(plan: Plan) -> None:
    with pytest.raises(PlanError, match="a Capacity Block needs its id"):
        plan(SERVICE, settings=ServiceSettings(configuration="c", capacity_block=True))


def test_requests_have_the_stop_duration_to_end_or_else_15_minutes(plan: Plan) -> None:
    assert [plan(f"{SERVICE}{keys}").draining for keys in ("", "stop_duration: 5m\n", "stop_duration: true\n")] == [
        900,
        300,
        900,
    ]


def test_pulumi_up_waits_for_capacity_as_long_as_retry_says(plan: Plan) -> None:
    assert [plan(f"{SERVICE}{keys}").capacity_timeout for keys in ("", "retry: false\n", "retry: true\n")] == [
        None,
        None,
        3600,
    ]
    made = plan(f"{SERVICE}retry: {{duration: 2h}}\n")
    assert made.capacity_timeout == 7200
    assert made.notes[-2] == (
        "retry: pulumi up waits up to 7200s for the first instance, and then gives up. Once a replica has served, Auto "
        "Scaling replaces replicas that end or that AWS takes away, and never gives up."
    )


@pytest.mark.parametrize(
    ("keys", "again"),
    [
        ("", "make wait STACK=… starts it again."),
        ("replicas: 0..2\nscaling: {metric: rps, target: 1}\n", "a request starts it again."),
        ("schedule: {cron: '0 8 * * *'}\n", "the next time of its schedule starts it again."),
    ],
)
def test_the_plan_says_what_starts_a_service_again_that_did_not_use_its_gpus(plan: Plan, keys: str, again: str) -> None:
    made = plan(f"{SERVICE}utilization_policy: {{min_gpu_utilization: 10, time_window: 1h}}\n{keys}")
    assert made.utilization == Utilization(least=10, window=3600)
    (note,) = (note for note in made.notes if note.startswith("utilization_policy"))
    assert note == (
        "utilization_policy: if a GPU of a replica is used less than 10 % for 3600s, the replica sets the group to no "
        f"replicas; {again}"
    )


def test_the_plan_says_what_a_service_without_a_gateway_in_dstack_gets_here(plan: Plan) -> None:
    made = plan(f"{SERVICE}gateway: false\nstrip_prefix: false\n")
    assert (made.gateway, made.strip_prefix) == (None, False)
    assert made.notes[-3:-1] == (
        "gateway is false: dstack's own server would forward requests. Here the gateway of the stack named gateway "
        "does, at /services/run/ in place of dstack's /proxy/services/<project>/run/.",
        "strip_prefix is false: the service gets paths with /services/run at their beginning, if the caller used them. "
        "Requests to the host name of the run have no prefix.",
    )
