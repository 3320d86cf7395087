"""Keeps the machines as the control plane has the instances, and tells it what became of them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cloud.leftovers import end_marked
from cloud.machines.spec import MARK

PAUSE = 1
"""Seconds after the control plane did not answer."""
SHUT_DOWN = 240
"""Seconds that a machine has to shut down; then its power is cut. EC2 waits a few minutes too."""
PROJECT = Path(__file__).parents[2]


class ControlPlane(Protocol):
    """The routes under `/cloud/` that machines need (`cloud.control_plane.client`)."""

    url: str

    def version_after(self, version: int) -> int: ...

    def instances(self) -> Any: ...

    def instance_became(self, id: str, state: str) -> None: ...


class Watcher:
    """All machines of the cloud."""

    def __init__(
        self,
        control_plane: ControlPlane,
        folder: Path,
        *,
        module: str,
        shared: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        """`module`: what runs a machine. `shared`: the members of its `Spec` that all machines have."""
        self._control_plane, self._folder, self._say = control_plane, folder, say
        self._module, self._shared = module, shared
        self._machines: dict[str, _Powered] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Follow the control plane until `close`."""
        version = -1
        while not self._closed.is_set():
            try:
                version = self._control_plane.version_after(version)
                self._follow(self._control_plane.instances())
            except OSError as error:
                if not self._closed.is_set():
                    self._say(f"the control plane does not answer: {error}")
                self._closed.wait(PAUSE)

    def close(self) -> None:
        """Cut the power of all machines, and wait until they have ended."""
        self._closed.set()
        with self._lock:
            machines = list(self._machines.values())
        for machine in machines:
            machine.cut_power()
        for machine in machines:
            machine.ended.wait(10)

    def _follow(self, instances: Any) -> None:
        known = {instance["id"]: instance for instance in instances}
        for id, instance in known.items():
            machine = self._machines.get(id)
            state = instance["state"]
            if state in ("pending", "running") and machine is None:
                self._switch_on(instance)
            elif state in ("shutting-down", "stopping"):
                if machine is None:
                    self._tell(id, "terminated" if state == "shutting-down" else "stopped")
                else:
                    machine.instance = instance
                    machine.shut_down()
            elif state == "terminated" and machine is not None:
                machine.cut_power()
        for id in set(self._machines) - set(known):
            self._machines[id].cut_power()
        for folder in self._folder.glob("i-*"):
            if folder.name not in self._machines and known.get(folder.name, {}).get("state") in (None, "terminated"):
                shutil.rmtree(folder, ignore_errors=True)

    def _switch_on(self, instance: Mapping[str, Any]) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            machine = _Powered(instance, self._folder / instance["id"], self._module, self._shared)
            self._machines[instance["id"]] = machine
        threading.Thread(target=self._accompany, args=(machine,), daemon=True).start()

    def _accompany(self, machine: _Powered) -> None:
        id = str(machine.instance["id"])
        if machine.wait_until_on():
            self._say(f"{id} is on, at {machine.instance['address']}")
            self._tell(id, "running")
        machine.wait_until_off()
        end_marked("SERVESTACK_ROOT", str(machine.folder / "root"))  # if the machine itself was killed
        machine.ended.set()
        if self._closed.is_set():
            return
        became = "stopped" if machine.stays else "terminated"
        if became == "terminated":
            shutil.rmtree(machine.folder, ignore_errors=True)
        self._say(f"{id} is {became}")
        self._tell(id, became)
        with self._lock:  # not before it was told, or the machine would be switched on again
            self._machines.pop(id, None)

    def _tell(self, id: str, state: str) -> None:
        try:
            self._control_plane.instance_became(id, state)
        except Exception as error:  # the instance can have ended meanwhile; the next look at all instances says so
            self._say(f"{id} could not be said to be {state}: {error}")


class _Powered:
    """A machine that is on, as a process."""

    def __init__(self, instance: Mapping[str, Any], folder: Path, module: str, shared: Mapping[str, str]) -> None:
        self.instance, self.folder = instance, folder
        self.ended = threading.Event()
        self._asked = False
        folder.mkdir(parents=True, exist_ok=True)
        spec = {
            "folder": str(folder),
            "instance": instance["id"],
            "image": instance["image"],
            **{name: instance[name] for name in ("region", "zone", "type", "role", "address", "user_data")},
            **shared,
        }
        with (folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": str(PROJECT), MARK: str(folder.parent)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                start_new_session=True,
            )
        self._write(json.dumps(spec))

    @property
    def stays(self) -> bool:
        """Whether the machine can be switched on again."""
        if self.instance["state"] in ("shutting-down", "stopping"):
            return self.instance["state"] == "stopping"
        return self.instance.get("shutdown_behavior") == "stop"

    def wait_until_on(self) -> bool:
        """Whether it came on."""
        return self._process.stdout is not None and self._process.stdout.readline() == b"on\n"

    def shut_down(self) -> None:
        """Press the power button, once."""
        if not self._asked:
            self._asked = True
            self._write("shut down")
            timer = threading.Timer(SHUT_DOWN, self.cut_power)
            timer.daemon = True
            timer.start()

    def cut_power(self) -> None:
        """End it at once."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def wait_until_off(self) -> None:
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self.cut_power()

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
