"""A service that moves to another gateway of the same network."""

from __future__ import annotations

import json

from tests.cloud.whole.conftest import MOVING, OTHER
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud

Services = tuple[str, ...]


def test_a_service_moves_to_another_gateway_and_leaves_the_first(cloud: RunningCloud, services: Services) -> None:
    first = cloud.outputs(MOVING)["url"]
    base = cloud.outputs(OTHER)["url"]
    with cloud.http() as http:
        assert (first, http.get(first).status_code) == (f"https://whoami.{DOMAIN}", 200)
        printed = cloud.deploy(MOVING, "examples/web/serve.dstack.yml", f"gateway {OTHER}")
        moved = cloud.outputs(MOVING)["url"]
        assert moved == f"{base}/services/whoami"
        answer = http.get(f"{moved}/some/path?a=b")
        assert (answer.status_code, "GET /some/path?a=b HTTP/1.1" in answer.text) == (200, True)
        assert _runs(cloud, "gateway") & {"whoami"} == set()
        assert _runs(cloud, OTHER) == {"whoami"}
        assert http.get(first).status_code in (401, 404)
    created = [line.split()[2] for line in printed.splitlines() if line.startswith("  created TableItem")]
    assert created == ["whoami-claim", "whoami-run"]


def _runs(cloud: RunningCloud, gateway: str) -> set[str]:
    """The runs of a gateway's registry: those that are reserved, and those that are reached."""
    table = cloud.outputs(gateway)["connection"]
    items = cloud.client("dynamodb").query(
        TableName=(json.loads(table) if isinstance(table, str) else table)["table"],
        KeyConditionExpression="pk = :registry",
        ExpressionAttributeValues={":registry": {"S": "registry"}},
    )["Items"]
    kinds = (item["sk"]["S"].partition("#") for item in items)
    return {name for kind, _, name in kinds if kind in ("claim", "run")}
