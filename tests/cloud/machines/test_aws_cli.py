"""The AWS CLI of all machines: each call has its caller's variables, role and files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from cloud.machines.calls import write_program
from cloud.machines.http_server import Server
from cloud.machines.metadata import Metadata
from tests.support.requirements import require

PROJECT = Path(__file__).parents[3]
FAR_TOO_LONG = 300


class Recorder(Server):
    """AWS: it notes who asks for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        super().__init__("127.0.0.1", 0)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        signed = re.search(r"Credential=(\w+)/\d+/([a-z0-9-]+)/", request.headers["Authorization"])
        self.asked.append((*signed.groups(), body) if signed else ("", "", body))
        self.send(request, 200, b'{"Parameter": {"Value": "a\\nb"}}', {"Content-Type": "application/x-amz-json-1.1"})


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Path]:
    """The command `aws` of a machine."""
    require("machines")
    process = subprocess.Popen(
        [sys.executable, "-m", "cloud.machines.aws_cli", str(tmp_path / "socket")],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    write_program(tmp_path / "aws", {"": tmp_path / "socket"})
    yield tmp_path / "aws"
    process.communicate(timeout=FAR_TOO_LONG)


def test_a_call_has_the_role_the_region_and_the_endpoint_of_its_machine(aws: Path) -> None:
    recorder = Recorder()
    services = [
        Metadata(address=address, port=0, instance="i-1", region="us-east-1", role=role, user_data=b"")
        for address, role in (("127.64.200.2", "one"), ("127.64.200.3", None))
    ]
    printed: list[tuple[int, bytes]] = []
    for region, service in zip(("eu-west-1", "us-west-2"), services, strict=True):
        endpoint = f"http://{service.address}:{service.port}"
        done = subprocess.run(
            [str(aws), "--region", region, "ssm", "get-parameter", "--name", "n", "--query", "Parameter.Value"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(aws.parent),
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{recorder.port}",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
                "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
                "AWS_METADATA_SERVICE_TIMEOUT": str(FAR_TOO_LONG),
            },
            capture_output=True,
            timeout=FAR_TOO_LONG,
        )
        printed.append((done.returncode, done.stdout))
    for server in (recorder, *services):
        server.close()
    assert printed == [(0, b'"a\\nb"\n'), (255, b"")], "the second machine has no role"
    ((who, region, body),) = recorder.asked
    assert (who, region, json.loads(body)) == ("ASIAEXAMPLE", "eu-west-1", {"Name": "n"})


def test_a_call_that_is_killed_ends_in_the_server_too(aws: Path) -> None:
    listener = Recorder()
    listener.answer = lambda request: request.rfile.read() and None  # pyright: ignore[reportAttributeAccessIssue]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listener.port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
    }
    words = ["timeout", "2", str(aws), "--region", "eu-west-1", "ssm", "get-parameter", "--name", "n"]
    assert subprocess.run(words, env=environment, timeout=FAR_TOO_LONG).returncode == 124
    status, said = subprocess.getstatusoutput(f"{aws} --version")
    assert (status, said.partition("/")[0]) == (0, "aws-cli")
    listener.close()
