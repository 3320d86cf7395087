"""AWS for a machine: moto's server, in the machine's network namespace."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from cloud.machines.nspawn.namespace import NetworkNamespace
from tests.real_boot.waiting import wait_until

_TEMPLATE = {"ImageId": "ami-12c6146b", "InstanceType": "g6.xlarge"}
"""One of the images that moto knows."""


class Emulator:
    """The emulator. Its functions return plain values of the service's API."""

    def __init__(self, namespace: NetworkNamespace, *, endpoint: str, region: str, output: Path) -> None:
        address = urlsplit(endpoint)
        self._namespace = namespace
        command = [sys.executable, "-m", "moto.server", "--host", str(address.hostname), "--port", str(address.port)]
        with output.open("wb") as written:
            self._process = subprocess.Popen(
                namespace.command(command),
                env={**os.environ, "NO_PROXY": "*"},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._session = boto3.Session("test", "test", region_name=region)
        self._clients: dict[str, Any] = {}
        self._endpoint = endpoint
        wait_until(self._answers, within=60, what="moto's server")

    def call(self, service: str, operation: str, **arguments: object) -> Mapping[str, Any]:
        """Return the answer of one call: `call("ssm", "put_parameter", Name=…)`."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self._endpoint)
        client = self._clients[service]
        return self._namespace.run(lambda: getattr(client, operation)(**arguments))

    def prepare(self, *, table: str, log_group: str, parameters: Iterable[tuple[str, str, int]]) -> None:
        """Make the table, the log group and the SecureStrings (name, value, version) that a replica needs."""
        self.call(
            "dynamodb",
            "create_table",
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        self.call("logs", "create_log_group", logGroupName=log_group)
        for name, value, version in parameters:
            for _ in range(version):  # each write is one version
                self.call("ssm", "put_parameter", Name=name, Value=value, Type="SecureString", Overwrite=True)

    def store(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Make a bucket with these objects, by key."""
        self.call("s3", "create_bucket", Bucket=bucket)
        for key, content in objects.items():
            self.call("s3", "put_object", Bucket=bucket, Key=key, Body=content)

    def start_instance(self) -> str:
        """Return the id of the one instance of a new Auto Scaling group."""
        self.call("ec2", "create_launch_template", LaunchTemplateName="replica", LaunchTemplateData=_TEMPLATE)
        self.call(
            "autoscaling",
            "create_auto_scaling_group",
            AutoScalingGroupName="replicas",
            LaunchTemplate={"LaunchTemplateName": "replica"},
            AvailabilityZones=[f"{self._session.region_name}a"],
            **dict.fromkeys(("MinSize", "MaxSize", "DesiredCapacity"), 1),
        )
        (instance,) = self.call("autoscaling", "describe_auto_scaling_instances")["AutoScalingInstances"]
        return instance["InstanceId"]

    def log(self, group: str, stream: str) -> list[str]:
        """Return the messages of a log stream, in order; none if it does not exist."""
        try:
            found = self.call("logs", "get_log_events", logGroupName=group, logStreamName=stream, startFromHead=True)
        except ClientError:
            return []
        return [event["message"] for event in found["events"]]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError("moto's server ended")
        try:
            self._namespace.run(lambda: urllib.request.urlopen(f"{self._endpoint}/moto-api/", timeout=5).close())
        except OSError:
            return False
        return True
