"""A Pulumi project deployed by the real engine, on this machine, into the stand-in for AWS.

The project's files are linked into a folder of the test's own, next to a Pulumi.yaml that names this Python and to the
stacks' configuration; state is files, encrypted with a passphrase. Everything lies in that one folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import msgspec
import yaml
from pulumi import automation

from cloud.deployment.engine_plugin import serve
from tests.aws.standin import Cloud, World
from tests.engine.plugin import FOLDER, WORLD, stand_in

ROOT = Path(__file__).parents[2]
PACKAGES = ("aws", "random")
_PASSPHRASE = "a passphrase of the tests"


class Deployment:
    """A project and its stacks."""

    def __init__(
        self,
        source: Path,
        folder: Path,
        *,
        world: World | None = None,
        environment: Mapping[str, str] | None = None,
        started_by_engine: bool = False,
    ) -> None:
        """`source`: the folder with Pulumi.yaml. `world`: what is in the account, where it is not an empty one.
        `environment`: what the program and its dynamic resources find there besides.

        The engine finds the plugins on PATH and starts them anew for every command and provider. Unless that is what
        is asked for, it is given plugins that run already, which takes seconds off each command.
        """
        self.folder = folder
        self._environment: Mapping[str, str] = {} if environment is None else environment
        self._running: list[grpc.Server] = []
        self._stacks: dict[str, automation.Stack] = {}
        self._work, self._account = folder / "project", folder / "account"
        for made in (self._work, self._account, folder / "state", folder / "bin", folder / "home"):
            made.mkdir()
        if world is not None:
            (self._account / WORLD).write_bytes(msgspec.json.encode(world))
        _link(source, self._work)
        _write_plugins(folder / "bin")
        self._attached = "" if started_by_engine else ",".join(self._serve(package) for package in PACKAGES)

    def close(self) -> None:
        """Stop the plugins, and what a failed command of the CLI left behind (its language host waits for minutes)."""
        for server in self._running:
            server.stop(grace=None).wait()
        wanted = f"{FOLDER}={self._account}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGTERM)

    def stack(
        self, name: str, config: Mapping[str, object], secrets: Mapping[str, object] | None = None
    ) -> automation.Stack:
        """The stack of that name, made where it is not there yet, with exactly this stack config."""
        if name not in self._stacks:
            self._stacks[name] = automation.create_stack(name, work_dir=str(self._work), opts=self._options())
        stack, file = self._stacks[name], self._work / f"Pulumi.{name}.yaml"
        if file.exists():
            kept = {key: value for key, value in yaml.safe_load(file.read_text()).items() if key != "config"}
            file.write_text(yaml.safe_dump(kept))
        stack.set_all_config(
            {
                **{key: automation.ConfigValue(_text(value)) for key, value in config.items()},
                **{key: automation.ConfigValue(_text(value), secret=True) for key, value in (secrets or {}).items()},
            },
            path=True,
        )
        return stack

    def account(self) -> Cloud:
        """What is in the account now."""
        return Cloud.load(self._account / "records.json")

    def state(self, stack: str) -> str:
        """The state file of a stack, as it lies on disk."""
        (file,) = (self.folder / "state" / ".pulumi" / "stacks").glob(f"*/{stack}.json")
        return file.read_text()

    def _serve(self, package: str) -> str:
        server, port = serve(stand_in(package, self._account))
        self._running.append(server)
        return f"{package}:{port}"

    def _options(self) -> automation.LocalWorkspaceOptions:
        return automation.LocalWorkspaceOptions(
            pulumi_home=str(self.folder / "home"),
            env_vars={
                "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                FOLDER: str(self._account),
                **self._environment,
                **({"PULUMI_DEBUG_PROVIDERS": self._attached} if self._attached else {}),
            },
        )


def refusal(error: automation.CommandError) -> str:
    """What the CLI said of a failed command."""
    return str(error)


def noise(shown: str) -> list[str]:
    """What the CLI shows of how an error came about, where its message says all: names of types, and tracebacks."""
    words = ("Traceback", "KeyboardInterrupt", "Error:", "Exception:", "unhandled", "exit code")
    return [line for line in shown.splitlines() if any(word in line for word in words)]


def _link(source: Path, work: Path) -> None:
    """Everything of a project but its own stacks' configuration and what is hidden."""
    for entry in source.iterdir():
        if not entry.name.startswith((".", "Pulumi.")) and entry.name != "__pycache__":
            (work / entry.name).symlink_to(entry)
    project = yaml.safe_load((source / "Pulumi.yaml").read_text())
    project["runtime"] = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (work / "Pulumi.yaml").write_text(yaml.safe_dump(project))


def _write_plugins(folder: Path) -> None:
    for package in PACKAGES:
        path = folder / f"pulumi-resource-{package}"
        python, root = shlex.quote(sys.executable), shlex.quote(str(ROOT))
        path.write_text(f"#!/bin/sh\nPYTHONPATH={root} exec {python} -m tests.engine.plugin {package}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
