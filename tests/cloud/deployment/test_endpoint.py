"""Nothing is created in an account of AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.deployment.deployment import Deployment, DeploymentFailed
from cloud.deployment.endpoint import refuse_other_clouds, without_an_account
from commands.program_monitor import Refused
from tests.support.requirements import require


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4566", "http://127.64.0.1:1", "http://[::1]:80", "http://localhost:1"]
)
def test_a_server_on_this_machine_is_taken(url: str) -> None:
    refuse_other_clouds({"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url})


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, "AWS_ENDPOINT_URL is not set"),
        ({"AWS_ENDPOINT_URL": "https://ec2.amazonaws.com"}, "AWS_ENDPOINT_URL is https://ec2.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1.example.com"}, "AWS_ENDPOINT_URL is http://127.0.0.1.example.com"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_IAM": "https://iam.amazonaws.com"},
            "AWS_ENDPOINT_URL_IAM is https://iam.amazonaws.com",
        ),
    ],
)
def test_every_other_is_refused(environment: dict[str, str], found: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse_other_clouds(environment)
    rule = "this creates resources only in a cloud on this machine, never in an account of AWS"
    assert str(refused.value).startswith(f"{found}: {rule}. Start one (make cloud)")


def test_profiles_and_the_switch_that_ignores_endpoints_are_taken_away() -> None:
    given = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "mine",
        "AWS_PROFILE": "work",
        "AWS_CONFIG_FILE": "/home/me/.aws/config",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HOME": "/home/me",
    }
    assert without_an_account(given) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "mine",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "HOME": "/home/me",
    }


def test_a_deployment_without_a_local_cloud_asks_nobody(tmp_path: Path) -> None:
    require("provider-aws")
    ran: list[str] = []
    deployment = Deployment(tmp_path, {"AWS_REGION": "us-east-1"}, program=lambda: ran.append("program"))
    with pytest.raises(DeploymentFailed, match="AWS_ENDPOINT_URL is not set"):
        deployment.up("stack", {})
    assert ran == []
