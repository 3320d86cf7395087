"""A cloud for tests: `python -m cloud` on ports of its own, and what its user does in another terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloud.addresses import free_addresses
from tests.support.processes import ROOT, Process, python

DOMAIN = "models.localhost"
SPEED = 60
FAR_TOO_LONG = 420
"""Seconds for one command."""
_EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)
_FOLDER = re.compile(r"^cd (\S+)$", re.MULTILINE)


class RunningCloud:
    """A cloud that runs until `close`."""

    def __init__(self, folder: Path, *, speed: float = SPEED) -> None:
        self.folder = folder
        self.addresses = free_addresses()
        self._process = Process(
            python(
                *("-m", "cloud", "--folder", str(folder), "--domain", DOMAIN, "--speed", str(speed)),
                *("--port", str(self.addresses.control_plane), "--https-port", str(self.addresses.https)),
            ),
            env={},
            cwd=ROOT,
        )
        banner = self._process.wait_for("Ctrl-C ends everything", within=FAR_TOO_LONG)
        exported = {name: value.strip("'\"") for name, value in _EXPORT.findall(banner)}
        without = {name: value for name, value in os.environ.items() if name not in ("NO_PROXY", "no_proxy")}
        expanded = {name: value.replace("$PATH", os.environ["PATH"]) for name, value in exported.items()}
        self.environment: Mapping[str, str] = {**without, **expanded}
        """Of a terminal in which the banner's lines were pasted."""
        found = _FOLDER.search(banner)
        assert found is not None, banner
        self.project = Path(found[1])
        self.endpoint = exported["AWS_ENDPOINT_URL"]

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._process.output

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, *command: str, status: int = 0) -> str:
        """Return what a command prints, with its errors, in the project's folder. It must end with `status`."""
        ended = subprocess.run(
            command,
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FAR_TOO_LONG,
        )
        assert ended.returncode == status, f"{command} ended with {ended.returncode}:\n{ended.stdout}"
        return ended.stdout

    def start(self, *command: str) -> Process:
        """Return a command that runs meanwhile. End it with its `end`."""
        return Process(command, env=self.environment, cwd=self.project)

    def deploy(self, stack: str, configuration: str | Path, *settings: str, status: int = 0) -> str:
        """Make a stack if there is none, set its stack config (`gpu 24GB`), and return what `pulumi up` prints."""
        if stack not in self.stacks():
            self.run("pulumi", "stack", "init", stack)
        for setting in (f"configuration {configuration}", *settings):
            *options, key, value = setting.split(" ")
            self.run("pulumi", "config", "set", "--stack", stack, *options, key, value)
        return self.up(stack, status=status)

    def up(self, stack: str, *, status: int = 0) -> str:
        return self.run("pulumi", "up", "--yes", "--skip-preview", "--stack", stack, status=status)

    def destroy(self, stack: str) -> str:
        """Delete what the stack has, and the stack."""
        printed = self.run("pulumi", "destroy", "--yes", "--skip-preview", "--stack", stack)
        self.run("pulumi", "stack", "rm", "--yes", stack)
        return printed

    def stacks(self) -> Sequence[str]:
        return [stack["name"] for stack in json.loads(self.run("pulumi", "stack", "ls", "--json"))]

    def outputs(self, stack: str) -> Mapping[str, Any]:
        """The outputs of a stack, secrets in the open."""
        return json.loads(self.run("pulumi", "stack", "output", "--json", "--show-secrets", "--stack", stack))

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client of boto3."""
        import boto3

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def resources(self) -> list[Mapping[str, str]]:
        """What exists in AWS that was not there at the start."""
        import urllib.request

        with urllib.request.urlopen(f"{self.endpoint}/cloud/resources", timeout=60) as answer:
            return json.loads(answer.read())

    def processes(self) -> list[str]:
        """The command lines of all processes of the cloud, this one's parts and what they started."""
        mark = f"SERVESTACK_CLOUD={self.folder.absolute()}".encode()
        found: list[str] = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
            except OSError:
                continue
        return [line for line in found if line]

    def close(self) -> None:
        self._process.end()
