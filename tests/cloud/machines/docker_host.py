"""A machine with nothing but docker, whose command tests call as the boot script does."""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloud.machines.__main__ import TABLES
from cloud.machines.calls import CallServer, write_program
from cloud.machines.docker.container import Place
from cloud.machines.docker.engine import Engine
from cloud.machines.docker.pulling import Registries
from cloud.machines.programs import write_nvidia_smi

_PROCESS = os.getpid()
ADDRESS = f"127.{128 + (_PROCESS >> 16)}.{_PROCESS >> 8 & 255}.{_PROCESS & 255}"
"""Of this process alone: the other worker of pytest publishes the same ports at the same time. Linux has at most 2^22
processes."""
INSIDE = 18_000
FAR_TOO_LONG = 300


class DockerHost:
    def __init__(self, folder: Path, models: Path, logs: Callable[[str], Any] = lambda _: None) -> None:
        """`logs`: as of `Engine`."""
        self.folder = folder
        self.door = folder / "door"
        self._program = folder / "docker"
        nvidia_smi = folder / "nvidia-smi"
        write_nvidia_smi(nvidia_smi, "g6.xlarge", "/run/stand-in/running")
        place = Place(
            folder=folder / "containers",
            root=folder / "root",
            address=ADDRESS,
            inside_port=INSIDE,
            door=self.door,
            model=models,
            nvidia_smi=nvidia_smi,
        )
        self.engine = Engine(place, Registries(folder / "images", TABLES), logs)
        self._calls = CallServer(folder / "calls", self.engine.answer)
        write_program(self._program, {"": folder / "calls"})

    def close(self) -> None:
        self.engine.close()
        self._calls.close()

    def __call__(
        self, *words: str, input: str = "", environment: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Return the status, the output and the errors of `docker …`."""
        done = subprocess.run(
            [str(self._program), *words],
            input=input.encode(),
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **(environment or {})},
            capture_output=True,
            timeout=FAR_TOO_LONG,
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def out(self, *words: str, input: str = "", environment: Mapping[str, str] | None = None) -> str:
        """Return the output of a call that succeeds."""
        status, output, errors = self(*words, input=input, environment=environment)
        assert (status, errors) == (0, ""), words
        return output

    def pull(self, image: str) -> None:
        self.out("pull", image)

    def run(self, image: str, *arguments: str, options: tuple[str, ...] = (), port: int = 80, **variables: str) -> None:
        """Start the container `one`, with a published port, as the boot script does."""
        self.pull(image)
        names = [word for name in variables for word in ("--env", name)]
        published = ("--publish", f"8000:{port}")
        words = ("run", "--detach", "--name", "one", "--pull", "never", "--gpus", "all", *published, *names, *options)
        self.out(*words, image, *arguments, environment=variables)

    def says(self, command: str, *, image: str = "python:3", options: tuple[str, ...] = (), **variables: str) -> str:
        """Return what a shell command prints in a new container."""
        self.pull(image)
        names = [word for name in variables for word in ("--env", name)]
        words = ("run", "--rm", *names, *options, "--entrypoint", "sh", image, "-c", command)
        return self.out(*words, environment=variables)

    def ask(self, path: str, *, port: int = 8000, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of the published port's answer.

        Raises:
            OSError: it does not answer.
        """
        connection = http.client.HTTPConnection(ADDRESS, port, timeout=FAR_TOO_LONG)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            with connection.getresponse() as answer:
                return answer.status, answer.read()
        finally:
            connection.close()

    def wait_for(self, path: str) -> bytes:
        """Return the body of the first answer with status 200."""
        end = time.monotonic() + FAR_TOO_LONG
        while True:
            try:
                status, body = self.ask(path)
                if status == 200:
                    return body
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < end, self("logs", "one")
            time.sleep(0.1)
