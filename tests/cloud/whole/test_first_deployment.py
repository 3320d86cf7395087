"""From a configuration to a streamed answer."""

from __future__ import annotations

import json

from tests.cloud.whole.running_cloud import RunningCloud


def test_a_gateway_lists_no_model_before_there_is_a_service(cloud: RunningCloud, gateway: str) -> None:
    key = next(iter(cloud.outputs(gateway)["api_keys"].values()))
    listed = cloud.run(
        "curl", "-sS", "-H", f"Authorization: Bearer {key}", f"{cloud.outputs(gateway)['url']}/v1/models"
    )
    assert json.loads(listed) == {"object": "list", "data": []}
