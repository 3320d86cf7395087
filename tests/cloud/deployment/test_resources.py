"""A small program's resources through HashiCorp's provider: made, left alone, changed, replaced, deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pytest
from pulumi import dynamic

from cloud.deployment.deployment import Deployment, DeploymentFailed
from tests.aws.standin import sdk
from tests.cloud.control_plane.conftest import Running

PASSWORD = "p4ssw0rd of the tests"


class Counting(dynamic.ResourceProvider):
    """Says what it does, and refuses what is negative."""

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        if props["count"] < 0:
            raise RuntimeError("a count is not negative")
        return dynamic.CreateResult(id_="counted", outs={**props, "doubled": props["count"] * 2})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs={**_news, "doubled": _news["count"] * 2})


class Count(dynamic.Resource):
    doubled: pulumi.Output[int]

    def __init__(self, name: str, count: int) -> None:
        super().__init__(Counting(), name, {"count": count, "doubled": None})


def program(folder: Path, *, key: str = "id", text: str = "one", count: int = 1, password: str = PASSWORD) -> None:
    """Some of each kind: AWS's with and without a name, with a file, with default tags; random; dynamic; a function."""
    (folder / "file.txt").write_text(text)
    provider = aws.Provider(
        "aws", region="eu-central-1", default_tags=aws.ProviderDefaultTagsArgs(tags={"project": "tests"})
    )
    options = pulumi.ResourceOptions(provider=provider)
    bucket = aws.s3.Bucket("files", force_destroy=True, opts=options)
    file = aws.s3.BucketObjectv2(
        "file", bucket=bucket.id, key="file", source=pulumi.FileAsset(str(folder / "file.txt")), opts=options
    )
    table = aws.dynamodb.Table(
        "table",
        hash_key=key,
        attributes=[aws.dynamodb.TableAttributeArgs(name=key, type="S")],
        billing_mode="PAY_PER_REQUEST",
        opts=options,
    )
    parameter = aws.ssm.Parameter("password", type="SecureString", value=pulumi.Output.secret(password), opts=options)
    caller = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider))
    pulumi.export("table", table.name)
    pulumi.export("bucket", bucket.bucket)
    pulumi.export("file", file.version_id)
    pulumi.export("key", random.RandomBytes("key", length=32).base64)
    pulumi.export("parameter", parameter.value)
    pulumi.export("tags", table.tags_all)
    pulumi.export("account", caller.account_id)
    pulumi.export("doubled", Count("count", count).doubled)


class Stack:
    """The program's stack, and what a deployment says that it does."""

    def __init__(self, plane: Running, folder: Path) -> None:
        self.folder = folder
        self.plane = plane
        self.said: list[str] = []

    def up(self, **changes: Any) -> dict[str, Any]:
        self.said.clear()
        return dict(
            self._deployment(lambda: program(self.folder, **changes)).up("small", {}, on_event=self.said.append)
        )

    def run(self, program: Callable[[], None]) -> None:
        self.said.clear()
        self._deployment(program).up("small", {}, on_event=self.said.append)

    def destroy(self) -> None:
        self.said.clear()
        self._deployment(lambda: None).destroy("small", self.said.append)

    def done(self) -> list[str]:
        """What was done, without the seconds and in no order."""
        return sorted(line for line in self.said if not line.startswith(("created", "updated", "deleted")))

    def outputs(self) -> dict[str, Any]:
        return dict(self._deployment(lambda: None).outputs("small"))

    def _deployment(self, of: Callable[[], None]) -> Deployment:
        return Deployment(self.folder / "stacks", self.plane.environment, program=of)


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """The SDK warns of its own deprecated parts while it loads, and a warning would be an error here."""
    sdk.import_all()


@pytest.fixture
def stack(plane: Running, tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(plane, tmp_path)
    yield stack
    stack.destroy()


def test_resources_are_made_left_alone_changed_and_deleted(stack: Stack) -> None:
    before = stack.plane.cloud.resources()
    outputs = stack.up()
    assert stack.done() == [
        "creating Bucket files",
        "creating BucketObjectv2 file",
        "creating Parameter password",
        "creating RandomBytes key",
        "creating Resource count",
        "creating Table table",
    ]
    assert {name: outputs[name] for name in ("parameter", "tags", "account", "doubled")} == {
        "parameter": PASSWORD,
        "tags": {"project": "tests"},
        "account": "123456789012",
        "doubled": 2,
    }
    assert len(base64.b64decode(outputs["key"])) == 32
    assert outputs["table"].startswith("table-")
    assert stack.outputs() == outputs
    assert (_key(stack, outputs), _text(stack, outputs)) == ("id", "one")
    assert stack.up() == outputs
    assert stack.said == []
    changed = stack.up(text="two", count=4, password="another")
    assert stack.done() == [
        "updating BucketObjectv2 file (source, versionId)",
        "updating Parameter password (insecureValue, value, version)",
        "updating Resource count (count)",
    ]
    assert changed == {**outputs, "parameter": "another", "doubled": 8}
    assert _text(stack, outputs) == "two"
    replaced = stack.up(text="two", count=4, password="another", key="other")
    assert stack.done() == ["creating Table table", "deleting Table table", "replacing Table table"]
    assert replaced["table"] != outputs["table"]
    assert (_key(stack, replaced), _tables(stack)) == ("other", [replaced["table"]])
    stack.destroy()
    assert (stack.plane.cloud.resources(), stack.outputs()) == (before, {})


def replicas(user_data: str) -> None:
    """A launch template with blocks of which the provider reads back empty lists as none."""
    aws.ec2.LaunchTemplate(
        "replica",
        image_id="ami-0123456789abcdef0",
        user_data=user_data,
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name="/dev/sda1", ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(volume_size=10)
            )
        ],
        network_interfaces=[
            aws.ec2.LaunchTemplateNetworkInterfaceArgs(device_index=0, associate_public_ip_address="true")
        ],
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type="instance", tags={"servestack:run": "a"})
        ],
    )


def test_only_what_changed_is_named_as_changed(stack: Stack) -> None:
    stack.run(lambda: replicas("b25l"))
    stack.run(lambda: replicas("b25l"))
    assert stack.said == []
    stack.run(lambda: replicas("dHdv"))
    assert stack.done() == ["updating LaunchTemplate replica (latestVersion, userData)"]


def test_what_is_refused_is_named_and_the_rest_is_made(stack: Stack) -> None:
    with pytest.raises(DeploymentFailed) as failed:
        stack.up(count=-1)
    assert failed.value.errors == (
        "urn:pulumi:small::servestack::pulumi-python:dynamic:Resource::count: a count is not negative",
    )
    assert len(_tables(stack)) == 1
    stack.up()
    assert stack.done() == ["creating Resource count"]
    stack.destroy()
    assert _tables(stack) == []


def test_what_aws_refuses_names_the_resource(stack: Stack) -> None:
    def wrong() -> None:
        provider = aws.Provider("aws", region="us-east-1")
        options = pulumi.ResourceOptions(provider=provider)
        aws.ssm.Parameter("no type", type="Nothing", value="x", opts=options)
        aws.lb.Listener("no balancer", load_balancer_arn="arn:aws:nothing", default_actions=[], opts=options)

    with pytest.raises(DeploymentFailed) as failed:
        Deployment(stack.folder / "wrong", stack.plane.environment, program=wrong).up("wrong", {})
    types = "urn:pulumi:wrong::servestack::aws"
    listener, parameter = sorted(failed.value.errors)
    assert listener.startswith(f"{types}:lb/listener:Listener::no balancer: ")
    assert parameter == (
        f'{types}:ssm/parameter:Parameter::no type: type: expected type to be one of ["String" "StringList" '
        '"SecureString"], got Nothing'
    )


def test_secrets_are_in_the_stack_s_file_alone(stack: Stack) -> None:
    stack.up()
    file = stack.folder / "stacks" / "small.json"
    assert PASSWORD in file.read_text()
    assert not any(PASSWORD in line for line in stack.said)
    assert json.loads(file.read_text())["outputs"]["parameter"]["value"] == PASSWORD
    stack.destroy()
    assert PASSWORD not in file.read_text()


def _tables(stack: Stack) -> list[str]:
    return stack.plane.client("dynamodb", "eu-central-1").list_tables()["TableNames"]


def _key(stack: Stack, outputs: dict[str, Any]) -> str:
    table = stack.plane.client("dynamodb", "eu-central-1").describe_table(TableName=outputs["table"])["Table"]
    return table["KeySchema"][0]["AttributeName"]


def _text(stack: Stack, outputs: dict[str, Any]) -> str:
    s3 = stack.plane.client("s3", "eu-central-1")
    return s3.get_object(Bucket=outputs["bucket"], Key="file")["Body"].read().decode()
