"""A control plane of its own for the tests of a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloud.control_plane.client import ControlPlane

REGION = "us-east-1"


class Running:
    """A control plane that runs."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url, self.process, self.log = url, process, log
        self.cloud = ControlPlane(url)
        self.environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
        }

    def client(self, service: str, region: str = REGION, **options: Any) -> Any:
        """boto3's client, which tries once."""
        return boto3.client(
            service,
            region,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, **options),
        )


def start(folder: Path, *arguments: str) -> Running:
    """Start one. It ends when its standard input does."""
    command = [sys.executable, "-m", "cloud.control_plane", "--port", "0", "--folder", str(folder), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ})
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    port = (folder / "port").read_text()
    return Running(f"http://127.0.0.1:{port}", process, folder / "control_plane.log")


def end(running: Running) -> None:
    running.process.communicate(timeout=100)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One control plane for all tests of this folder, whose alarms and delays are fast."""
    running = start(tmp_path_factory.mktemp("control_plane"), "--zone", "models.localhost", "--speed", "60")
    yield running
    end(running)
