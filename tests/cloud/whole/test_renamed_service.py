"""A stack whose run gets another name: the run of that name comes, and the other one goes."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.whole.asking import client, get
from tests.cloud.whole.running_cloud import DOMAIN, RunningCloud
from tests.cloud.whole.service import STREAMS, deployed


def test_a_renamed_service_answers_at_its_new_name_alone(cloud: RunningCloud, gateway: str, tmp_path: Path) -> None:
    with deployed(cloud, "cat", tmp_path, STREAMS), client(cloud.environment) as own:
        assert get(f"https://cat.{DOMAIN}/health")(own) == "200"
        renamed = tmp_path / "dog.dstack.yml"
        renamed.write_text(f"name: dog\n{STREAMS}")
        cloud.deploy("cat", renamed)
        assert cloud.outputs("cat")["url"] == f"https://dog.{DOMAIN}"
        assert get(f"https://dog.{DOMAIN}/health")(own) == "200"
        table = cloud.outputs(gateway)["connection"]["table"]
        registry = {":registry": {"S": "registry"}}
        found = cloud.client("dynamodb").query(
            TableName=table, KeyConditionExpression="pk = :registry", ExpressionAttributeValues=registry
        )["Items"]
        assert {item["sk"]["S"] for item in found} & {"run#cat", "run#dog", "claim#cat", "claim#dog"} == {
            "run#dog",
            "claim#dog",
        }
        assert get(f"https://cat.{DOMAIN}/health")(own)[:3] in ("401", "404")
