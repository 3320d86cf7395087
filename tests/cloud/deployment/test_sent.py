"""What the provider is sent: files by their contents, and timeouts as it keeps them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cloud.deployment import newer
from cloud.deployment.sent import terraform_config, with_timeouts
from cloud.deployment.terraform.client import Provider
from commands.program_monitor import Refused
from commands.property_values import FileValue

FUNCTION = "aws:lambda/function:Function"
INTEGRATION = "aws:apigateway/integration:Integration"
KEY = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"


def _code(terraform: Provider, file: FileValue, state: dict[str, Any] | None) -> tuple[str, str]:
    config = terraform_config(FUNCTION, terraform.block("aws_lambda_function"), {"code": file, "name": "f"}, state, {})
    return config["filename"], config["source_code_hash"]


def test_a_file_is_compared_by_its_contents(terraform: Provider, tmp_path: Path) -> None:
    (tmp_path / "one.zip").write_bytes(b"contents")
    (tmp_path / "two.zip").write_bytes(b"others")
    hashed = base64.b64encode(hashlib.sha256(b"contents").digest()).decode()
    one, two = (FileValue(archive=True, path=str(tmp_path / name)) for name in ("one.zip", "two.zip"))
    assert _code(terraform, one, None) == (one.path, hashed)
    there = {"filename": "/elsewhere/before.zip", "source_code_hash": hashed}
    assert _code(terraform, one, there) == ("/elsewhere/before.zip", hashed)
    assert _code(terraform, two, there)[0] == two.path
    without_path = FileValue(archive=True, hash=hashlib.sha256(b"contents").hexdigest())
    assert _code(terraform, without_path, there) == ("/elsewhere/before.zip", hashed)


def test_timeouts_of_a_deletion_are_where_the_provider_looks_for_them() -> None:
    private = json.dumps({KEY: {"create": 1}, "schema_version": "1"}).encode()
    assert json.loads(with_timeouts(private, {"delete": "1h30m"})) == {
        KEY: {"create": 1, "delete": 90 * 60 * 10**9},
        "schema_version": "1",
    }
    assert json.loads(with_timeouts(b"null", {"delete": "45s"})) == {KEY: {"delete": 45 * 10**9}}
    assert with_timeouts(private, {}) == private


def test_what_only_6_x_knows_is_left_to_us_or_refused() -> None:
    streamed = {"type": "AWS_PROXY", "responseTransferMode": "STREAM", "timeoutMilliseconds": 900000}
    newer.refuse_unknown(INTEGRATION, streamed)
    assert newer.understood(INTEGRATION, streamed) == {"type": "AWS_PROXY", "responseTransferMode": "STREAM"}
    short = {**streamed, "timeoutMilliseconds": 29000}
    assert newer.understood(INTEGRATION, short) == short
    assert newer.changed(INTEGRATION, streamed, short) == ("timeoutMilliseconds",)
    with pytest.raises(Refused, match=r"healthCheckLogs: version 5\.100\.0 of Terraform's AWS provider does not have"):
        newer.refuse_unknown("aws:lb/loadBalancer:LoadBalancer", {"healthCheckLogs": {"enabled": True}})
