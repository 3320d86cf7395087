"""AWS does not have every instance type: the next offer is taken, and what is not there is said."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, Service, deployed

FIRST, SECOND = "g6.xlarge", "g6.2xlarge"
TYPES = f"instance_types: [{FIRST}, {SECOND}]\n"
NO_CAPACITY = "AWS has no capacity for these instance types in these zones now"


def test_without_capacity_for_the_cheapest_offer_the_next_one_serves(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with missing(cloud, FIRST), deployed(cloud, "second-offer", tmp_path, STREAMS + TYPES) as service:
        service.until_serving(1)
        assert service.types() == [SECOND]


def test_without_any_capacity_the_deployment_fails_and_with_it_the_next_one_serves(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    service = Service(cloud, "no-offer", tmp_path)
    try:
        with missing(cloud, FIRST), missing(cloud, SECOND):
            printed = service.configure(STREAMS + TYPES, "boot_timeout 1m", status=1)
        assert NO_CAPACITY in printed
        assert service.size() == (0, 0, 1)
        assert "url" not in cloud.outputs("no-offer")
        service.configure(STREAMS + TYPES)
        service.until_serving(1)
        assert service.types() == [FIRST]
        assert service.size() == (1, 1, 1)
    finally:
        cloud.destroy("no-offer")


def test_spot_instances_are_taken_where_on_demand_ones_are_missing(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with (
        missing(cloud, FIRST, purchase="spot"),
        missing(cloud, SECOND, purchase="on-demand"),
        deployed(cloud, "spot", tmp_path, f"{STREAMS}{TYPES}spot_policy: spot\n") as service,
    ):
        service.until_serving(1)
        assert service.types() == [SECOND]


@contextmanager
def missing(cloud: RunningCloud, type: str, **more: str) -> Generator[None]:
    """An instance type that AWS does not have, for the time of the block."""
    put(cloud, {"type": type, "available": False, **more})
    try:
        yield
    finally:
        put(cloud, {"type": type, "available": True})


def put(cloud: RunningCloud, body: dict[str, object]) -> None:
    request = urllib.request.Request(f"{cloud.endpoint}/cloud/capacity", json.dumps(body).encode(), method="PUT")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
