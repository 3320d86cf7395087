"""One machine as a group of processes: `python -m cloud.machines.machine`, with the protocol of `spec.py`.

A machine boots from its folder. At its first start cloud-init runs the user data; at every start systemd starts what is
enabled. The folder's `root` is the machine's file system, as SERVESTACK_ROOT says to the boot script.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from cloud.machines.calls import Call, CallServer
from cloud.machines.docker.container import Place
from cloud.machines.docker.engine import Engine
from cloud.machines.docker.pulling import Registries
from cloud.machines.metadata import metadata_of
from cloud.machines.programs import gpus_of, write_nvidia_smi, write_programs
from cloud.machines.spec import MARK, Spec, stay_on
from cloud.machines.systemd import Systemd
from cloud.possible import SYSTEM_PATH

_FOLDERS = ("etc/systemd/system", "opt", "root", "tmp", "var/lib/docker", "var/lib/cloud/scripts", "var/log")


@dataclass(frozen=True, kw_only=True)
class PlayedSpec(Spec):
    """A machine of this kind."""

    aws: str
    """The socket of the AWS CLI."""


class Machine:
    """A machine that is off."""

    def __init__(self, spec: PlayedSpec) -> None:
        self._spec = spec
        self._folder = Path(spec.folder)
        self._root = self._folder / "root"
        self._door = self._folder / "door"
        self.off = threading.Event()
        """Set when it has asked for its own end."""
        user_data = base64.b64decode(spec.user_data)
        self._script = gzip.decompress(user_data) if user_data.startswith(b"\x1f\x8b") else user_data
        self._metadata = metadata_of(spec, user_data, address=spec.address, port=0)
        first_boot = not self._root.exists()
        self._prepare()
        nvidia_smi = self._folder / "nvidia-smi"
        place = Place(
            folder=self._folder / "containers",
            root=self._root,
            address=spec.address,
            inside_port=self._inside_port,
            door=self._door,
            model=Path(spec.model),
            nvidia_smi=nvidia_smi if gpus_of(spec.type) else None,
        )
        if place.nvidia_smi is not None:
            write_nvidia_smi(nvidia_smi, spec.type, "/run/stand-in/running")
        self._docker = Engine(place, Registries(self._folder / "images", Path(spec.tables)), self._logs)
        self._systemd = Systemd(self._root, self._environment, self.off.set)
        self._calls = CallServer(self._folder / "calls", self._answer)
        if first_boot:
            threading.Thread(target=self._run_user_data, daemon=True).start()
        else:
            self._systemd.start_enabled()

    def shut_down(self) -> None:
        """Stop the units, and then everything else."""
        self._systemd.stop_all()
        self._docker.close()
        self._docker.wait_logged()
        self.cut_power()

    def cut_power(self) -> None:
        """End everything at once."""
        self._systemd.kill_all()
        self._docker.close()
        self._calls.close()

    @property
    def _environment(self) -> Mapping[str, str]:
        """The variables of the machine's services."""
        return {
            "PATH": f"{self._folder / 'bin'}:{SYSTEM_PATH}",
            "HOME": str(self._root / "root"),
            "LANG": "C.UTF-8",
            "SERVESTACK_ROOT": str(self._root),
            "AWS_ENDPOINT_URL": self._spec.endpoint,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{self._spec.address}:{self._metadata.port}",
            MARK: os.environ.get(MARK, ""),
        }

    def _prepare(self) -> None:
        """Make the machine's own folders and programs. What is in memory on a real machine begins empty."""
        for name in _FOLDERS:
            (self._root / name).mkdir(parents=True, exist_ok=True)
        if not (self._root / "proc").is_symlink():
            (self._root / "proc").symlink_to("/proc")
        shutil.rmtree(self._root / "run", ignore_errors=True)
        (self._root / "run").mkdir()
        self._door.unlink(missing_ok=True)
        with socket.socket() as listener:
            listener.bind((self._spec.address, 0))
            self._inside_port = int(listener.getsockname()[1])
        programs = self._folder / "bin"
        shutil.rmtree(programs, ignore_errors=True)
        write_programs(
            programs,
            address=self._spec.address,
            metadata_port=self._metadata.port,
            inside_port=self._inside_port,
            calls=self._folder / "calls",
            aws=Path(self._spec.aws),
        )
        if gpus_of(self._spec.type):
            running = str(self._folder / "containers/*/root/run/stand-in/running")
            write_nvidia_smi(programs / "nvidia-smi", self._spec.type, running)

    def _run_user_data(self) -> None:
        """What cloud-init does with user data that is a script; it leaves everything else alone."""
        if not self._script.startswith(b"#!"):
            return
        script = self._root / "var/lib/cloud/scripts/part-001"
        script.write_bytes(self._script)
        script.chmod(0o700)
        with (self._root / "var/log/cloud-init-output.log").open("ab") as output:
            subprocess.run(
                [str(script)],
                env=dict(self._environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _logs(self, region: str) -> Any:
        session: Any = botocore.session.Session()
        session.set_credentials("ASIAEXAMPLE", "secret", "session")  # those of the machine's role
        config = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2, "mode": "standard"})
        return session.create_client("logs", region_name=region, endpoint_url=self._spec.endpoint, config=config)

    def _answer(self, call: Call) -> int:
        match call.name:
            case "docker":
                return self._docker.answer(call)
            case "systemctl":
                return self._systemd.systemctl(call)
            case "systemd-run":
                return self._systemd.systemd_run(call)
            case "iptables":
                return self._close_door(call)
            case _:
                return self._enter_network(call)

    def _close_door(self, call: Call) -> int:
        """`iptables --wait --check | --insert | --delete DOCKER-USER …`: the rule that closes the replica's port."""
        if "--check" in call.arguments:
            return 0 if self._door.exists() else 1
        if "--insert" in call.arguments:
            self._door.touch()
            return 0
        if not self._door.exists():
            return call.fail("iptables: Bad rule (does a matching rule exist in that chain?).")
        self._door.unlink()
        return 0

    def _enter_network(self, call: Call) -> int:
        """`nsenter --net=/proc/PID/ns/net PROGRAM …`: the rule that leads the port to 127.0.0.1 in a container."""
        process = call.arguments[0].removeprefix("--net=/proc/").removesuffix("/ns/net")
        container = self._docker.at_process(int(process)) if process.isdigit() else None
        if container is None:
            return call.fail(
                f"nsenter: cannot open {call.arguments[0].removeprefix('--net=')}: No such file or directory"
            )
        if call.arguments[1] == "iptables":
            (container.folder / "local").touch()
        return 0


if __name__ == "__main__":
    stay_on(Machine(PlayedSpec(**json.loads(sys.stdin.readline()))))
