"""Spot replicas that EC2 takes away."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.whole.asking import WHOLE, Callers, get, stream
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, deployed


def test_a_replica_that_is_to_be_interrupted_is_replaced_while_the_other_one_serves(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with deployed(cloud, "taken", tmp_path, f"{STREAMS}spot_policy: spot\nreplicas: 2\n") as service:
        before = service.until_serving(2)
        victim = min(before)
        url = service.url
        with (
            Callers(cloud, get(f"{url}/health"), count=1, pause=0.2) as others,
            Callers(cloud, stream(url), count=4) as streams,
        ):
            cloud.tell(victim, "rebalance")
            service.until(lambda: victim not in service.replicas(), "the end of the instance")
            after = service.until_serving(2)
        assert after & before == before - {victim}
        assert set(others.outcomes) == {"200"}, others.outcomes
        assert set(streams.outcomes) == {WHOLE}, streams.outcomes
        rebalanced = "in response to an EC2 instance rebalance recommendation."
        assert sum(rebalanced in activity for activity in service.activities()) == 2, "one started, one ended"

        cloud.tell(min(after), "interruption")
        service.until(lambda: min(after) not in service.replicas(), "the end of the interrupted instance")
        assert service.until_serving(2) & after == after - {min(after)}
