"""A cloud for tests: `python -m cloud` on ports of its own, and what its user does in another terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

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

    def __init__(self, folder: Path, *, speed: float = SPEED, machines: str = "played") -> None:
        self.folder = folder
        self.addresses = free_addresses()
        self._process = Process(
            python(
                *("-m", "cloud", "--folder", str(folder), "--domain", DOMAIN, "--speed", str(speed)),
                *("--machines", machines),
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
        assert ended.returncode == status, (
            f"{command} ended with {ended.returncode}:\n{ended.stdout}\n{self.warnings()}"
        )
        return ended.stdout

    def warnings(self) -> str:
        """What its control plane has warned of."""
        return "\n".join(log.read_text() for log in self.folder.rglob("control_plane.log"))

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

    def key(self, gateway: str = "gateway") -> str:
        """The first API key of a gateway."""
        return next(iter(self.outputs(gateway)["api_keys"].values()))

    def http(self, **options: Any) -> httpx.Client:
        """A client that reaches the names of this cloud, and trusts their certificates."""
        trusted = ssl.create_default_context(cafile=self.environment["SSL_CERT_FILE"])
        proxy = self.environment.get("HTTPS_PROXY")
        return httpx.Client(verify=trusted, proxy=proxy, trust_env=False, timeout=120, **options)

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
        return self._own("GET", "resources")

    def machines(self, group: str | None = None) -> Mapping[str, str]:
        """The state of each instance that has not ended, of a group or of all, by its id."""
        there = [one for one in self._own("GET", "instances") if one["state"] != "terminated"]
        return {one["id"]: one["state"] for one in there if group in (None, one["group"])}

    def capacity(self, type: str, *, available: bool, message: str | None = None) -> None:
        """Let EC2 have instances of a type or not. `message`: what EC2 says then, in place of the usual."""
        self._own("PUT", "capacity", {"type": type, "available": available, "message": message})

    def tell(self, instance: str, notice: str) -> None:
        """Let EC2 tell a spot instance `rebalance` or `interruption`."""
        self._own("PUT", "spot", {"instance": instance, "notice": notice})

    def _own(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/cloud/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def processes(self) -> Mapping[int, str]:
        """The command lines of the cloud's processes and of all that they started, by id."""
        return {one: line for one in descendants(self.pid) if (line := command_line(one))}

    def wait(self) -> int:
        """The exit status, after it has ended by itself."""
        return self._process.wait()

    def close(self) -> None:
        self._process.end()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What several calls return that are made at the same time. All of them have ended before an error is raised."""
    with ThreadPoolExecutor(len(calls)) as threads:
        made = [threads.submit(call) for call in calls]
    return [one.result() for one in made]


def descendants(process: int) -> list[int]:
    """A process, and all that it started and that these started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found = [process]
    for one in found:
        found += children.get(one, [])
    return found


def command_line(process: int) -> str:
    """A running process's command line; nothing for one that has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
