"""A cloud for tests: the control plane and the machines, each as the process that `make cloud` starts."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError

from cloud.control_plane.client import ControlPlane
from infra.planning import ServicePlan
from infra.planning.boot import REPLICA_PORT, object_key, objects, parameter_prefix, parameters, user_data

REGION = "us-east-1"
_numbers = itertools.count(1)
PROJECT = Path(__file__).parents[3]
FAR_TOO_LONG = 300

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """A state item."""

    step: str
    cause: str | None
    final: bool
    output: str | None = None


class Cloud:
    """The control plane and the machines, until `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            self._start(opened, "cloud.control_plane", "--port", "0", "--folder", str(folder / "plane"))
            self.url = f"http://127.0.0.1:{(folder / 'plane' / 'port').read_text()}"
            self.machines_folder = folder / "machines"
            self.start_machines(opened)
            self._open = opened.pop_all()

    def start_machines(self, opened: contextlib.ExitStack | None = None) -> subprocess.Popen[bytes]:
        """Start the machines."""
        words = ("--control-plane", self.url, "--folder", str(self.machines_folder))
        self.machines = self._start(opened or self._open, "cloud.machines", *words)
        return self.machines

    def close(self) -> None:
        self._open.close()

    def _start(self, opened: contextlib.ExitStack, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        words: Sequence[str] = [sys.executable, "-m", module, *arguments]
        with (self.folder / f"{module}.log").open("ab") as errors:
            process = subprocess.Popen(
                words,
                cwd=PROJECT,
                env={**os.environ, "NO_PROXY": "*"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        opened.callback(_end, process)
        line = process.stdout.readline() if process.stdout else b""
        assert line == b"ready\n", (self.folder / f"{module}.log").read_text()
        return process


class World:
    """What one test deploys into a cloud: a service, with names of its own. `close` ends its instances."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.plane = ControlPlane(cloud.url)
        self._session = boto3.Session("test", "test", region_name=REGION)
        self._clients: dict[str, Any] = {}
        number = next(_numbers)
        self.table, self.log_group = f"registry-{number}", f"/servestack/{number}"
        self.bucket, self.group = f"files-{number}", f"replicas-{number}"
        self._user_data = ""

    @property
    def machines_folder(self) -> Path:
        return self.cloud.machines_folder

    def close(self) -> None:
        running = [id for id, instance in self.instances().items() if instance["state"] != "terminated"]
        if self._user_data:
            self.call("autoscaling", "delete_auto_scaling_group", AutoScalingGroupName=self.group, ForceDelete=True)
        if running:
            self.call("ec2", "terminate_instances", InstanceIds=running)
        for instance in running:
            self.wait_for_state(instance, "terminated")

    def call(self, service: str, operation: str, **arguments: object) -> Mapping[str, Any]:
        """Return the answer of a call to AWS."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self.cloud.url)
        return getattr(self._clients[service], operation)(**arguments)

    def deploy(self, plan: ServicePlan, *, count: int = 1) -> None:
        """Make what a replica of the plan needs, and a group of such replicas."""
        self._plan = plan
        self.call(
            "dynamodb",
            "create_table",
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        self.call("logs", "create_log_group", logGroupName=self.log_group)
        self.call("s3", "create_bucket", Bucket=self.bucket)
        for name, content in objects(plan).items():
            self.call("s3", "put_object", Bucket=self.bucket, Key=object_key(plan.run, name), Body=content)
        prefix = parameter_prefix(self.table, plan.run)
        versions: dict[str, int] = {}
        for one in parameters(plan):
            put = self.call(
                "ssm", "put_parameter", Name=prefix + one.name, Value=one.value.reveal(), Type="SecureString"
            )
            versions[one.name] = put["Version"]
        place = {"region": REGION, "table": self.table, "log_group": self.log_group, "files_bucket": self.bucket}
        data = self._user_data = user_data(plan, **place, parameter_versions=versions)
        self.call("iam", "create_role", RoleName=self.group, AssumeRolePolicyDocument="{}")
        self.call("iam", "create_instance_profile", InstanceProfileName=self.group)
        self.call("iam", "add_role_to_instance_profile", InstanceProfileName=self.group, RoleName=self.group)
        images = self.call("ec2", "describe_images", Owners=["amazon"])["Images"]
        template = {
            "ImageId": images[0]["ImageId"],
            "InstanceType": "g6.xlarge",
            "UserData": data,
            "IamInstanceProfile": {"Name": self.group},
            "InstanceInitiatedShutdownBehavior": "terminate",
        }
        self.call("ec2", "create_launch_template", LaunchTemplateName=self.group, LaunchTemplateData=template)
        self.call(
            "autoscaling",
            "create_auto_scaling_group",
            AutoScalingGroupName=self.group,
            LaunchTemplate={"LaunchTemplateName": self.group},
            AvailabilityZones=[f"{REGION}a"],
            MinSize=0,
            MaxSize=8,
            DesiredCapacity=count,
        )

    def instances(self) -> Mapping[str, Mapping[str, Any]]:
        """Return every instance by its id."""
        return {one["id"]: one for one in self.plane.instances() if one["user_data"] == self._user_data}

    def instance(self) -> str:
        """Return the id of the one instance, as soon as it was launched."""
        (found,) = self.launched(1)
        return found

    def launched(self, count: int) -> list[str]:
        """Return the ids of the first instances, as soon as there are so many. More can follow: a group replaces what
        fails."""
        self.wait_until(lambda: len(self.instances()) >= count, what=f"{count} instances")
        return list(self.instances())[:count]

    def state(self, instance: str) -> State | None:
        """Return the state item of a replica."""
        item = self.item(instance)
        if not item:
            return None
        cause, output = (item.get(name, {}).get("S") for name in ("cause", "output"))
        return State(item["step"]["S"], cause, item["final"]["BOOL"], output)

    def item(self, instance: str) -> Mapping[str, Any]:
        key = {"pk": {"S": f"state#{self._plan.run}"}, "sk": {"S": instance}}
        return self.call("dynamodb", "get_item", TableName=self.table, Key=key).get("Item", {})

    def log(self, instance: str, stream: str) -> list[str]:
        """Return the messages of `<instance>/<stream>`."""
        try:
            found = self.call(
                "logs",
                "get_log_events",
                logGroupName=self.log_group,
                logStreamName=f"{instance}/{stream}",
                startFromHead=True,
            )
        except ClientError:
            return []
        return [event["message"] for event in found["events"]]

    def wait_for_step(self, step: str, *, instance: str | None = None) -> State:
        """Wait until a replica is at this step."""
        id = instance or self.instance()

        def found() -> State | None:
            state = self.state(id)
            return state if state is not None and state.step == step else None

        return self.wait_until(found, what=f"the step {step!r} of {id}")

    def wait_for_final(self, *, instance: str | None = None) -> State:
        """Wait until a replica has stopped for good."""
        id = instance or self.instance()

        def found() -> State | None:
            state = self.state(id)
            return state if state is not None and state.final else None

        return self.wait_until(found, what=f"the end of {id}")

    def wait_for_state(self, instance: str, state: str) -> None:
        """Wait until EC2 says this of an instance."""
        self.wait_until(lambda: self.instances()[instance]["state"] == state, what=f"{instance} is {state}")

    @contextlib.contextmanager
    def ask(
        self, instance: str, path: str, *, method: str = "GET", body: bytes | None = None, timeout: float = 60
    ) -> Iterator[http.client.HTTPResponse]:
        """Give the answer of a replica, as soon as it has its headers."""
        connection = http.client.HTTPConnection(self.instances()[instance]["address"], REPLICA_PORT, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            with connection.getresponse() as answer:
                yield answer

    def get(self, instance: str, path: str) -> bytes:
        with self.ask(instance, path) as answer:
            return answer.read()

    def wait_until(self, found: Callable[[], T | None], *, what: str, within: float = FAR_TOO_LONG) -> T:
        """Return the first result that is true."""
        end = time.monotonic() + within
        while not (result := found()):
            if time.monotonic() > end:
                told = {
                    id: (self.state(id), self.log(id, "boot"), self.log(id, "container")) for id in self.instances()
                }
                journals = [
                    file.read_text(errors="replace")[-3000:] for file in self.machines_folder.glob("i-*/root/var/log/*")
                ]
                consoles = [file.read_text() for file in self.machines_folder.glob("i-*/console")]
                raise TimeoutError(f"{what}: not within {within} s; {told}; {journals}; {consoles}")
            time.sleep(0.2)
        return result


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(100)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
