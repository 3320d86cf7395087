"""Replicas come with requests and go without them."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.whole.asking import Callers, client, get
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, deployed

TARGET = 0.05
"""Requests a second for each replica. A minute of AWS's is a second of the clock here, so these are three a second."""


def test_replicas_are_added_by_load_and_removed_without_it(cloud: RunningCloud, gateway: str, tmp_path: Path) -> None:
    scaling = f"replicas: 1..3\nscaling: {{metric: rps, target: {TARGET}, scale_up_delay: 5m, scale_down_delay: 10m}}\n"
    with deployed(cloud, "growing", tmp_path, STREAMS + scaling) as service:
        service.until_serving(1)
        url = f"{service.url}/health"
        with Callers(cloud, get(url), count=1, pause=1.0) as always:
            with Callers(cloud, get(url), count=4, pause=0.2) as load:
                service.until_serving(3)
                assert service.size() == (1, 3, 3)
            service.until_serving(1)
            assert service.size() == (1, 1, 3)
        assert set(load.outcomes) == {"200"}, load.outcomes
        assert set(always.outcomes) == {"200"}, always.outcomes


def test_a_request_wakes_a_service_without_a_replica_and_silence_lets_it_sleep_again(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    scaling = "replicas: 0..1\nscaling: {metric: rps, target: 2, scale_down_delay: 10m}\n"
    with deployed(cloud, "sleeping", tmp_path, STREAMS + scaling) as service:
        assert service.replicas() == frozenset()
        assert service.size() == (0, 0, 1)
        url = f"{service.url}/health"
        with client(cloud.environment) as own:
            assert get(url)(own).startswith("503 ")
        with Callers(cloud, get(url), count=1, pause=0.5) as waking:
            service.until_serving(1)
            service.until(lambda: waking.outcomes["200"] > 0, "an answer")
        statuses = {outcome[:3] for outcome in waking.outcomes}
        assert statuses <= {"200", "502", "503", "504"}, waking.outcomes
        service.until(lambda: service.size() == (0, 0, 1) and not service.replicas(), "the end of the last replica")
