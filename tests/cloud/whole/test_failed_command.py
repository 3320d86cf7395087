"""An update to a command that only fails, which the machine tries again and again."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.whole.asking import Callers, get
from tests.cloud.whole.running_cloud import RunningCloud
from tests.cloud.whole.service import STREAMS, deployed

FAILS = "commands: [numbered-streams --exit 3]\n"
MINUTE = "boot_timeout 1m"
"""By the clock. The roll's warm-up, of which it is a part, takes six seconds."""


def test_an_update_that_only_fails_ends_by_its_boot_timeout_and_the_old_replica_serves_on(
    cloud: RunningCloud, gateway: str, tmp_path: Path
) -> None:
    with deployed(cloud, "hoping", tmp_path, STREAMS) as service:
        before = service.until_serving(1)
        with Callers(cloud, get(f"{service.url}/health"), count=1, pause=0.2) as callers:
            printed = service.configure(f"{STREAMS}{FAILS}", MINUTE, status=1)
            assert "the container ended with status 3" in printed
            service.until_serving(1)
            assert service.replicas() == before
        assert set(callers.outcomes) == {"200"}, callers.outcomes
        assert service.refreshes()[0] == "Cancelled"
