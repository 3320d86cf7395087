"""A container: its file system, its process under a shim, and what it wrote."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloud.machines.calls import BASE_PYTHON
from cloud.machines.docker.file_system import PROJECT, Mount, binds, make_root
from cloud.machines.docker.images import Image
from cloud.machines.docker.options import Options
from cloud.machines.docker.shim import Spec

_SHIM = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from cloud.machines.docker.shim import main; main()"


class NotStarted(Exception):
    """The container could not start. `str()` is what the container runtime says."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the containers of a machine share."""

    folder: Path
    root: Path
    """The machine's file system."""
    address: str
    inside_port: int
    """Where the machine itself reaches the published port. Probes can close the port for everyone else."""
    door: Path
    """While this file exists, the published port is closed for others than the machine."""
    model: Path
    nvidia_smi: Path | None


class Container:
    """A container that is not started yet."""

    def __init__(self, options: Options, image: Image, place: Place) -> None:
        self.options, self.image, self._place = options, image, place
        self.id = secrets.token_hex(32)
        self.name = options.name or f"container-{self.id[:12]}"
        self.folder = place.folder / self.id[:12]
        self.root = self.folder / "root"
        self.pid = 0
        self.status: int | None = None
        """`None`: it has not ended, or was never started."""
        self.ended = threading.Event()
        self._written = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        port = 0 if options.published is None else options.published[1]
        self.root.mkdir(parents=True)
        make_root(self.root, image, port=port, nvidia_smi=place.nvidia_smi if options.gpus else None)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that docker gives to the process, but for HOME."""
        terminal = {"TERM": "xterm"} if self.options.terminal else {}
        return {"HOSTNAME": self.id[:12], **terminal, **self.image.environment, **self.options.environment}

    @property
    def command(self) -> Sequence[str]:
        """The whole argument vector."""
        if self.options.entrypoint is not None:
            return (self.options.entrypoint, *self.options.arguments)
        return (*self.image.entrypoint, *(self.options.arguments or self.image.command))

    @property
    def mounts(self) -> Sequence[Mount]:
        """The mounts of `docker run`. A path that does not lie in the machine's file system begins at its root."""
        root = self._place.root
        inside = [
            mount if Path(mount.source).is_relative_to(root) else replace(mount, source=f"{root}{mount.source}")
            for mount in self.options.mounts
        ]
        return tuple(inside)

    @property
    def log(self) -> Path:
        """Everything that it wrote."""
        return self.folder / "log"

    @property
    def running(self) -> bool:
        return self.pid != 0 and not self.ended.is_set()

    def start(self, hear: Callable[[bytes], None], stdio: Sequence[int] | None = None) -> None:
        """Start the process. `hear` gets what it writes, as it comes; with `stdio`, it has these files instead.

        Raises:
            NotStarted: it cannot run.
        """
        if not self.command:
            raise NotStarted("no command specified", 125)
        if stdio is not None:
            self._launch(stdio, ())
            self._written.set()
            return
        if self.options.terminal:
            reading, inner = pty.openpty()
            files: Sequence[int] = (inner, inner, inner)
        else:
            reading, inner = os.pipe()
            nothing = os.open(os.devnull, os.O_RDONLY)
            files = (nothing, inner, inner)
        try:
            with contextlib.ExitStack() as listeners:
                self._launch(files, self._listeners(listeners))
        except BaseException:
            os.close(reading)
            raise
        finally:
            for descriptor in set(files):
                os.close(descriptor)
        threading.Thread(target=self._read, args=(reading, hear), daemon=True).start()

    def signal(self, number: int) -> None:
        """Send a signal to its first process."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, seconds: float) -> None:
        """As `docker stop`: SIGTERM, and SIGKILL after so many seconds."""
        self.signal(signal.SIGTERM)
        if not self.ended.wait(seconds) and self.running:
            self.kill()

    def kill(self) -> None:
        """End it now."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self.ended.wait()

    def remove(self) -> None:
        """Remove what is left of it."""
        self.kill()
        self._written.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_written(self) -> None:
        """Wait until everything that it wrote has been heard."""
        self._written.wait()

    def _listeners(self, closing: contextlib.ExitStack) -> Sequence[tuple[int, bool]]:
        """Return the sockets of the published port, and whether others than the machine come through them."""
        if self.options.published is None:
            return ()
        ports = {self.options.published[0]: True, self._place.inside_port: False}
        listeners = {
            closing.enter_context(_listen(self._place.address, port)): outside for port, outside in ports.items()
        }
        return tuple((listener.fileno(), outside) for listener, outside in listeners.items())

    def _launch(self, stdio: Sequence[int], listeners: Sequence[tuple[int, bool]]) -> None:
        port = 0 if self.options.published is None else self.options.published[1]
        spec: Spec = {
            "root": str(self.root),
            "command": list(self.command),
            "environment": dict(self.environment),
            "directory": self.options.directory,
            "user": self.options.user,
            "as_root": os.geteuid() == 0,
            "hostname": self.id[:12],
            "terminal": self.options.terminal,
            "stdio": list(stdio),
            "listeners": list(listeners),
            "port": port,
            "binds": binds(self._place.model, self.mounts),
            "shm_bytes": self.options.shm_bytes,
            "closed": str(self._place.door),
            "local": str(self.folder / "local"),
        }
        self._process = subprocess.Popen(
            [BASE_PYTHON, "-I", "-S", "-c", _SHIM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=sorted({*stdio, *(descriptor for descriptor, _ in listeners)}),
            start_new_session=True,
            env={name: os.environ[name] for name in ("PATH", "LC_ALL", "SERVESTACK_CLOUD") if name in os.environ},
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a shim has pipes")
        self._process.stdin.write(json.dumps(spec).encode() + b"\n")
        self._process.stdin.flush()
        said = self._said()
        if "pid" not in said:
            self._finish(int(said.get("status", 125)))
            raise NotStarted(said.get("refused", "the shim ended"), int(said.get("status", 125)))
        self.pid = int(said["pid"])
        threading.Thread(target=self._accompany, daemon=True).start()

    def _accompany(self) -> None:
        said = self._said()
        self._finish(int(said.get("status", 137)))

    def _said(self) -> Mapping[str, Any]:
        if self._process is None or self._process.stdout is None:
            return {}
        try:
            return json.loads(self._process.stdout.readline())
        except ValueError:
            return {}

    def _finish(self, status: int) -> None:
        self.status = status
        if self._process is not None and self._process.stdin is not None and self._process.stdout is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
        self.ended.set()

    def _read(self, descriptor: int, hear: Callable[[bytes], None]) -> None:
        with self.log.open("ab", buffering=0) as log, contextlib.suppress(OSError):  # a terminal ends with an error
            while data := os.read(descriptor, 65536):
                log.write(data)
                hear(data)
        os.close(descriptor)
        hear(b"")
        self._written.set()


def _listen(address: str, port: int, *, seconds: float = 10) -> socket.socket:
    """Listen on the published port. The container before can still have connections, but not this port."""
    end = time.monotonic() + seconds
    while True:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except OSError:
            listener.close()
            if time.monotonic() > end:
                raise NotStarted(
                    f"failed to bind host port for {address}:{port}: address already in use", 125
                ) from None
            time.sleep(0.05)
        else:
            listener.listen(128)
            return listener
