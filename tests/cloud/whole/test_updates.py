"""Updates of a service while it answers: nobody notices them, whether they succeed or fail."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.whole.asking import WHOLE, Callers, get, stream
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, deployed

TWO = f"{STREAMS}replicas: 2\n"
FAILS = "commands:\n  - numbered-stream --port 80\n"
"""There is no such program, and another try cannot help. Of a command that only fails, the machine hopes for the whole
boot_timeout that it mends, and that is not faster than the clock, but a roll's warm-up is."""


def test_an_update_replaces_all_replicas_and_cuts_none_of_50_streams(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with deployed(cloud, "rolling", tmp_path, f"{TWO}env: {{ROUND: '1'}}\n") as service:
        before = service.until_serving(2)
        url = service.url
        with (
            Callers(cloud, stream(url), count=50) as streams,
            Callers(cloud, get(f"{url}/health"), count=1, pause=0.2) as others,
        ):
            service.configure(f"{TWO}env: {{ROUND: '2'}}\n")
            service.until_rolled()
            after = service.until_serving(2)
        assert set(streams.outcomes) == {WHOLE}, streams.outcomes
        assert set(others.outcomes) == {"200"}, others.outcomes
        assert not before & after
        assert streams.outcomes[WHOLE] >= 100, "each caller had a stream before the update and one after it"
        assert service.refreshes() == ["Successful"]


def test_an_update_that_fails_leaves_what_serves_and_the_next_one_rolls(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with deployed(cloud, "failing", tmp_path, STREAMS) as service:
        before = service.until_serving(1)
        with Callers(cloud, get(f"{service.url}/health"), count=1, pause=0.2) as callers:
            printed = service.configure(f"{STREAMS}{FAILS}", status=1)
            assert "was not found or cannot be run (status 127)" in printed
            assert "numbered-stream: not found" in printed.replace("command not found", "not found")
            service.until_serving(1)
            assert service.replicas() == before
            assert service.size() == (1, 1, 1)
            service.configure(f"{STREAMS}commands:\n  - numbered-streams --says 'they are mended'\n")
            service.until_rolled()
            after = service.until_serving(1)
        assert set(callers.outcomes) == {"200"}, callers.outcomes
        assert not before & after
