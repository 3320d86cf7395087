"""One instance: a machine of systemd-nspawn that boots its own user data, and what it reaches, all in its own network.

169.254.169.254:80       the metadata service
127.0.0.1, AWS's port    leads to the control plane
10.99.0.1:443, :53       all image registries, and the name server that leads to them
10.99.0.1:5001, :5002    lead to the shared models
eth0, 10.98.0.2          what is outside: the instance's address on this machine leads to it, for the replica's port
"""

from __future__ import annotations

import base64
import gzip
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cloud.certificates import Authority
from cloud.machines.metadata import metadata_of
from cloud.machines.nspawn.every_registry import Contents, EveryRegistry
from cloud.machines.nspawn.forwarder import Forwarder
from cloud.machines.nspawn.guest import ADDRESSES, METADATA_ADDRESS, REGISTRY_ADDRESS, files
from cloud.machines.nspawn.layers import blob
from cloud.machines.nspawn.machine import Machine
from cloud.machines.nspawn.names import NameServer
from cloud.machines.nspawn.namespace import NetworkNamespace
from cloud.machines.programs import gpus_of, nvidia_smi, write_nvidia_smi
from cloud.machines.shared_model import CHAT, EMBEDDINGS, KEY
from cloud.machines.spec import Spec
from infra.planning.boot import REPLICA_PORT

MEMORY_MB = 1024
"""The most memory of a machine, with everything in it."""
_OUTSIDE, _INSIDE, _PREFIX = "10.98.0.1", "10.98.0.2", 30
_MODEL_PORTS = {CHAT: 5001, EMBEDDINGS: 5002}
_PYTHON = "/usr/bin/python3"
_RUNNING_IN = "/run/stand-in/running"
_LAYERS = "/var/lib/docker/overlay2/*/merged"
_PORT = re.compile(rb"^CONTAINER_PORT=([0-9]+)$", re.MULTILINE)
_PAUSE = 0.2


@dataclass(frozen=True, kw_only=True)
class NspawnSpec(Spec):
    """A machine of this kind."""

    root: str
    """Debian's file system."""
    layers: str
    """The files of the layers that all images have, the lowest first, with `:` between them."""


class Instance:
    """A machine that is on."""

    def __init__(self, spec: NspawnSpec) -> None:
        """Switch it on, in the main thread: what it starts ends with the thread that started it."""
        self.off = threading.Event()
        self._ended = threading.Event()
        self._spec, folder = spec, Path(spec.folder)
        self._namespace, self._outside = NetworkNamespace(ADDRESSES), NetworkNamespace()
        self._outside.join(self._namespace, address=f"{_OUTSIDE}/{_PREFIX}", others=f"{_INSIDE}/{_PREFIX}")
        user_data = base64.b64decode(spec.user_data)
        self._metadata = self._namespace.run(lambda: metadata_of(spec, user_data, address=METADATA_ADDRESS))
        authority = Authority(folder / "registry")
        contents = _contents(spec, user_data)
        context = authority.context(lambda host: host)
        self._registry = self._namespace.run(
            lambda: EveryRegistry(REGISTRY_ADDRESS, folder / "registry", context, contents)
        )
        self._names = self._namespace.run(lambda: NameServer(REGISTRY_ADDRESS, machine=f"{REGISTRY_ADDRESS}/32"))
        self._forwarders = list(self._forwarded())
        gpus = gpus_of(spec.type)
        own = files(
            endpoint=spec.endpoint,
            region=spec.region,
            nvidia_smi=nvidia_smi(spec.type, f"{_LAYERS}{_RUNNING_IN}", _PYTHON) if gpus else None,
            authority=authority.file.read_text(),
        )
        self._machine = Machine(Path(spec.root), self._namespace, own, folder=folder, memory_mb=MEMORY_MB)
        self._machine.start()
        threading.Thread(target=self._accompany, daemon=True).start()

    def shut_down(self) -> None:
        """Press the power button as soon as systemd hears it, and return when the machine is off."""
        while self._machine.is_on and not self._machine.hears_power_button:
            time.sleep(_PAUSE)
        self._machine.shut_down()
        self._ended.wait()
        self.cut_power()  # what is left of a machine that is off: its control group

    def cut_power(self) -> None:
        """End everything at once."""
        self._machine.cut_power()

    def _accompany(self) -> None:
        self._machine.wait(within=None)
        self._ended.set()
        self.off.set()

    def _forwarded(self) -> list[Forwarder]:
        endpoint = urlsplit(self._spec.endpoint)
        plane = (str(endpoint.hostname), endpoint.port or 80)
        ways: list[tuple[socket.socket, Callable[[], socket.socket]]] = [
            (self._inside(*plane), lambda: socket.create_connection(plane)),
            (_listening(self._spec.address, REPLICA_PORT), self._replica),
        ]
        for name, port in _MODEL_PORTS.items():
            path = Path(self._spec.model, name)
            ways.append((self._inside(REGISTRY_ADDRESS, port), lambda path=path: _connected(path)))
        return [Forwarder(listener, connect) for listener, connect in ways]

    def _inside(self, address: str, port: int) -> socket.socket:
        return self._namespace.run(lambda: _listening(address, port))

    def _replica(self) -> socket.socket:
        return self._outside.run(lambda: socket.create_connection((_INSIDE, REPLICA_PORT)))


def published_port(user_data: bytes) -> int:
    """Return the container's port that the boot script publishes; 0: another script, which does not say."""
    script = gzip.decompress(user_data) if user_data.startswith(b"\x1f\x8b") else user_data
    found = _PORT.search(script)
    return int(found[1]) if found else 0


def _contents(spec: NspawnSpec, user_data: bytes) -> Contents:
    added = Path(spec.folder, "nvidia-smi") if gpus_of(spec.type) else None
    if added is not None:
        write_nvidia_smi(added, spec.type, _RUNNING_IN, _PYTHON)
    models = {name: f"http://{REGISTRY_ADDRESS}:{port}" for name, port in _MODEL_PORTS.items()}
    return Contents(
        layers=[blob(Path(layer)) for layer in spec.layers.split(":")],
        tables=Path(spec.tables),
        port=published_port(user_data),
        models={**models, KEY: Path(spec.model, KEY).read_text()},
        nvidia_smi=added,
    )


def _listening(address: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(128)
    return listener


def _connected(path: Path) -> socket.socket:
    """Connect to a socket in the file system. The address of one has 107 bytes at most, so the folder is opened."""
    connection = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(folder)
    return connection
