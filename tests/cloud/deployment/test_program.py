"""The program's own stacks, deployed into the control plane as `make cloud` does without the `pulumi` command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloud.deployment.deployment import Deployment, DeploymentFailed
from tests.aws.standin import sdk
from tests.cloud.control_plane.conftest import Running
from tests.components.deploying import TOKEN, program

GATEWAY = "type: gateway\nname: gateway\nbackend: aws\nregion: us-east-1\ndomain: models.localhost\n"
SERVICE = """type: service
name: cat
image: ghcr.io/huggingface/text-generation-inference:3.3.7
env: [MODEL_ID=some/model, HF_TOKEN]
port: 80
commands: [text-generation-launcher --port 80]
model: {type: chat, name: some/model, format: tgi, chat_template: "{{ messages }}", eos_token: "</s>"}
resources: {gpu: 24GB}
replicas: 1..3
scaling: {metric: rps, target: 4}
"""

RETAINED = ["aws_iam_role", "aws_route53_record"]
"""What the program leaves on purpose (docs/teardown.md): the role with which all APIs of the region write logs, and the
record that validates the certificate."""


class Stacks:
    """Stacks of one folder."""

    def __init__(self, plane: Running, folder: Path) -> None:
        self.plane = plane
        self.said: list[str] = []
        self._folder = folder
        self.deployment = Deployment(folder / "stacks", plane.environment, program=program(folder))

    def up(self, stack: str, text: str, **config: str) -> Mapping[str, Any]:
        path = self._folder / f"{stack}.yml"
        path.write_text(text)
        self.said.clear()
        secrets = {"env": {"HF_TOKEN": TOKEN}} if "service" in text else {}
        given = {"configuration": str(path), "preflight": "false", **config}
        return self.deployment.up(stack, given, secrets, on_event=self.said.append)

    def destroy(self, stack: str) -> None:
        self.said.clear()
        self.deployment.destroy(stack, self.said.append)

    def done(self) -> list[str]:
        """Each change, without seconds and names of properties, in no order."""
        steps = ("creating", "updating", "replacing", "deleting")
        return sorted(line.partition(" (")[0] for line in self.said if line.startswith(steps))


@pytest.fixture(scope="module")
def stacks(plane: Running, tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    sdk.import_all()  # it warns of its own deprecated parts while it loads, and a warning would be an error here
    return Stacks(plane, tmp_path_factory.mktemp("deployment"))


def test_a_gateway_and_a_service_are_deployed_changed_and_destroyed(stacks: Stacks) -> None:
    before = stacks.plane.cloud.resources()
    gateway = stacks.up("gateway", GATEWAY, protect="false")
    assert (gateway["url"], gateway["connection"]["domain"]) == ("https://gateway.models.localhost", "models.localhost")
    assert list(gateway["api_keys"]) == ["default"]
    assert _integrations(stacks) == [("STREAM", 900000)] * 2
    stacks.up("gateway", GATEWAY, protect="false")
    assert stacks.done() == []

    service = stacks.up("cat", SERVICE, wait="false")
    assert (service["url"], service["model"]) == ("https://cat.models.localhost", "some/model")
    assert _sizes(stacks) == [(1, 3)]
    stacks.up("cat", SERVICE, wait="false")
    assert stacks.done() == []
    stacks.up("cat", SERVICE.replace("1..3", "2..4"), wait="false")
    assert stacks.done() == ["updating Group cat-replicas", "updating TableItem cat-run"]
    assert _sizes(stacks) == [(2, 4)]
    with pytest.raises(DeploymentFailed, match="the gateway still has the runs cat"):
        stacks.destroy("gateway")
    assert _runs(stacks, gateway) == ["cat"]
    stacks.destroy("cat")
    stacks.destroy("gateway")
    left = [one for one in stacks.plane.cloud.resources() if one not in before]
    assert [one["kind"] for one in left] == RETAINED
    assert not any(TOKEN in line for line in stacks.said)


def test_a_service_without_its_gateway_is_refused(stacks: Stacks) -> None:
    with pytest.raises(DeploymentFailed, match="a service needs a gateway, and this stack does not exist"):
        stacks.up("cat", SERVICE, gateway="nobody")


def _integrations(stacks: Stacks) -> list[tuple[str, int]]:
    """(mode, milliseconds) of all that the API has, which the provider of this version cannot set."""
    client = stacks.plane.client("apigateway")
    (api,) = client.get_rest_apis()["items"]
    found = [
        client.get_integration(restApiId=api["id"], resourceId=one["id"], httpMethod="ANY")
        for one in client.get_resources(restApiId=api["id"])["items"]
    ]
    return [(one["responseTransferMode"], one["timeoutInMillis"]) for one in found]


def _sizes(stacks: Stacks) -> list[tuple[int, int]]:
    groups = stacks.plane.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return [(group["MinSize"], group["MaxSize"]) for group in groups]


def _runs(stacks: Stacks, gateway: Mapping[str, Any]) -> list[str]:
    items = stacks.plane.client("dynamodb").scan(TableName=gateway["connection"]["table"])["Items"]
    return [json.loads(item["record"]["S"])["run"] for item in items if item["sk"]["S"].startswith("run#")]
