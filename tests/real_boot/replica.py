"""A replica of a plan: a machine with the plan's user data, and the stand-ins around it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cloud.machines.metadata import Metadata
from cloud.machines.nspawn.container_image import Image
from cloud.machines.nspawn.guest import ADDRESSES, METADATA_ADDRESS, REGISTRY_ADDRESS
from cloud.machines.nspawn.machine import Machine
from cloud.machines.nspawn.namespace import NetworkNamespace
from infra.planning import ServicePlan
from infra.planning.boot import REPLICA_PORT, object_key, objects, parameter_prefix, parameters, user_data
from tests.real_boot.emulator import Emulator
from tests.real_boot.folders import MEMORY_MB, new_folder
from tests.real_boot.hanging_port import HangingPort
from tests.real_boot.image_registry import GivenImages
from tests.real_boot.places import AWS_ENDPOINT, AWS_PORT, LOGS_PORT, REGION, REGISTRY_PORT, machine_files
from tests.real_boot.waiting import wait_until

TABLE, LOG_GROUP, BUCKET = "registry", "/servestack/run", "files"
FAR_TOO_LONG = 400
"""Seconds. A boot takes 20 s; each of its calls of AWS starts the CLI, which is slow on a busy machine."""

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """A state item."""

    step: str
    cause: str | None
    final: bool
    output: str | None = None
    """The last lines that the container wrote."""


class Replica:
    """A replica that is not started yet. `close` removes everything, also after a failed start."""

    def __init__(
        self,
        plan: ServicePlan,
        *,
        root: Path,
        folder: Path,
        images: Mapping[str, Image],
        registry_login: str | None = None,
        gpus: int = 1,
        docker_disk_mb: int = 0,
    ) -> None:
        """Prepare the machine and start the stand-ins.

        Args:
            root: the machine's file system.
            folder: for the emulator's log.
            images: what the registry has, by repository and tag.
            registry_login: `user:password` of the registry; `None`: it asks for none.
            gpus: how many GPUs the machine says that it has.
            docker_disk_mb: a disk of this size for docker's images and containers; 0: the machine's.
        """
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            self._namespace = NetworkNamespace(ADDRESSES)
            opened.callback(self._namespace.close)
            output = folder / "emulator"
            self.aws = Emulator(self._namespace, endpoint=AWS_ENDPOINT, region=REGION, output=output)
            opened.callback(self.aws.close)
            self.logs = HangingPort(self._namespace, port=LOGS_PORT, to=AWS_PORT)
            opened.callback(self.logs.close)
            versions = {parameter.name: index for index, parameter in enumerate(parameters(plan), start=1)}
            prefix = parameter_prefix(TABLE, plan.run)
            secrets = [(prefix + one.name, one.value.reveal(), versions[one.name]) for one in parameters(plan)]
            self.aws.prepare(table=TABLE, log_group=LOG_GROUP, parameters=secrets)
            self.aws.store(BUCKET, {object_key(plan.run, name): content for name, content in objects(plan).items()})
            self.instance = self.aws.start_instance()
            place = {"region": REGION, "table": TABLE, "log_group": LOG_GROUP, "files_bucket": BUCKET}
            data = base64.b64decode(user_data(plan, **place, parameter_versions=versions))
            self.metadata = self._namespace.run(
                lambda: Metadata(address=METADATA_ADDRESS, instance=self.instance, region=REGION, user_data=data)
            )
            opened.callback(self.metadata.close)
            self.registry = self._namespace.run(
                lambda: GivenImages(address=REGISTRY_ADDRESS, port=REGISTRY_PORT, images=images, login=registry_login)
            )
            opened.callback(self.registry.close)
            self.machine = Machine(
                root,
                self._namespace,
                machine_files(gpus=gpus),
                folder=new_folder(),
                memory_mb=MEMORY_MB,
                docker_disk_mb=docker_disk_mb,
            )
            opened.callback(self.machine.close)
            self._run = plan.run
            self._open = opened.pop_all()

    def close(self) -> None:
        self._open.close()

    def state(self) -> State | None:
        """Return the replica's state item; `None`: it has none yet."""
        item = self.item()
        if not item:
            return None
        cause, output = (item.get(name, {}).get("S") for name in ("cause", "output"))
        return State(item["step"]["S"], cause, item["final"]["BOOL"], output)

    def item(self) -> Mapping[str, Any]:
        """Return the whole state item; empty if there is none yet."""
        key = {"pk": {"S": f"state#{self._run}"}, "sk": {"S": self.instance}}
        return self.aws.call("dynamodb", "get_item", TableName=TABLE, Key=key).get("Item", {})

    def wait_for_step(self, step: str, *, within: float = FAR_TOO_LONG) -> None:
        self._wait_for_state(lambda state: state.step == step, within=within, what=f"the step {step!r}")

    def wait_for_log(self, start: str, *, count: int = 1, within: float = FAR_TOO_LONG) -> None:
        """Wait until the boot log has so many lines that begin with `start`."""

        def found() -> bool:
            return sum(line.startswith(start) for line in self.boot_log()) >= count

        self._wait_until(found, within=within, what=f"{count} log lines {start!r}")

    def wait_for_unit(self, state: str, *, within: float = FAR_TOO_LONG) -> None:
        """Wait until systemd says this of the unit: `active`, `failed`."""
        ask = ("systemctl", "show", "--property", "ActiveState", "--value", "servestack.service")

        def found() -> bool:
            try:
                return self.machine.run(*ask).strip() == state
            except RuntimeError:  # systemd does not answer yet
                return False

        self._wait_until(found, within=within, what=f"the unit's state {state!r}")

    def boot_log(self) -> list[str]:
        return self.aws.log(LOG_GROUP, f"{self.instance}/boot")

    def figures(self) -> list[Mapping[str, Any]]:
        """Return the lines with the replica's figures."""
        return [json.loads(line) for line in self.aws.log(LOG_GROUP, f"{self.instance}/figures")]

    def wait_for_figures(self, count: int, *, within: float = FAR_TOO_LONG) -> None:
        self._wait_until(lambda: len(self.figures()) >= count, within=within, what=f"{count} lines of figures")

    def container_log(self) -> list[str]:
        return self.aws.log(LOG_GROUP, f"{self.instance}/container")

    def health(self) -> str:
        """Return what the Auto Scaling group knows about the instance: `Healthy` or `Unhealthy`."""
        (found,) = self.aws.call("autoscaling", "describe_auto_scaling_instances", InstanceIds=[self.instance])[
            "AutoScalingInstances"
        ]
        return found["HealthStatus"]

    def get(self, path: str, *, method: str = "GET", timeout: float = 30) -> bytes:
        """Return the body of the container's answer, as the load balancer would get it.

        Raises:
            OSError: the port is closed, or the answer does not come in time.
        """
        with self.begin(path, method=method, timeout=timeout) as response:
            return response.read()

    def begin(self, path: str, *, method: str = "GET", timeout: float = 30) -> http.client.HTTPResponse:
        """Return the answer as soon as it has its headers."""

        def ask() -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", REPLICA_PORT, timeout=timeout)
            connection.request(method, path)
            return connection.getresponse()

        return self._namespace.run(ask)

    def _wait_for_state(self, true: Callable[[State], bool], *, within: float, what: str) -> State:
        def found() -> State | None:
            state = self.state()
            return state if state is not None and true(state) else None

        state = self._wait_until(found, within=within, what=what)
        if state is None:
            raise AssertionError("wait_until returns what is true")
        return state

    def _wait_until(self, found: Callable[[], T], *, within: float, what: str) -> T:
        try:
            return wait_until(found, within=within, what=what)
        except TimeoutError as error:
            told = {"state": self.state(), "boot": self.boot_log(), "container": self.container_log()}
            error.add_note(f"{told}\nconsole: {self.machine.console[-3000:]}")
            raise
