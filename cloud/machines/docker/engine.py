"""docker of one machine: its images, its containers, and the answers of the command `docker`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import shutil
import signal
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloud.machines.calls import Call
from cloud.machines.docker.arguments import WrongArguments, read_options
from cloud.machines.docker.awslogs import LogStream
from cloud.machines.docker.container import Container, NotStarted, Options, Place
from cloud.machines.docker.file_system import in_container
from cloud.machines.docker.images import image_named
from cloud.machines.docker.pulling import Registries

_START_FAILED = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)
_LONGEST_STOP = 10
"""Seconds that `docker stop` gives a container without `-t`."""


class Engine:
    """docker's server on one machine."""

    def __init__(self, place: Place, registries: Registries, logs: Callable[[str], Any]) -> None:
        """`logs`: makes a client of CloudWatch Logs for a region."""
        self._place, self._registries, self._logs = place, registries, logs
        self._containers: dict[str, Container] = {}
        self._lock = threading.Lock()
        shutil.rmtree(place.folder, ignore_errors=True)  # containers end with the machine's power
        place.folder.mkdir(parents=True)

    def close(self) -> None:
        """End all containers, as a machine that powers off does."""
        for container in list(self._containers.values()):
            container.kill()

    def container(self, name: str) -> Container | None:
        """Return the container with this name or id."""
        with self._lock:
            return next(
                (one for one in self._containers.values() if name == one.name or one.id.startswith(name)), None
            )

    def at_process(self, pid: int) -> Container | None:
        """Return the container whose first process this is."""
        with self._lock:
            return next((one for one in self._containers.values() if one.pid == pid), None)

    def answer(self, call: Call) -> int:
        """Answer a call of the command `docker`."""
        words, config = list(call.arguments), None
        if words[:1] == ["--config"] and len(words) > 1:
            config, words = Path(words[1]), words[2:]
        command = " ".join(words[:2]) if words[:1] == ["image"] else "".join(words[:1])
        commands: Mapping[str, Callable[[Call, Sequence[str]], int]] = {
            "run": self._run,
            "create": self._create,
            "wait": self._wait,
            "stop": self._stop,
            "kill": self._kill,
            "rm": self._remove,
            "logs": self._show_logs,
            "inspect": self._inspect,
            "cp": self._copy,
            "image inspect": self._inspect_image,
            "login": lambda call, rest: self._registries.log_in(call, rest, config),
            "pull": lambda call, rest: self._registries.pull(call, rest, config),
        }
        if command not in commands:
            return call.fail(f"docker: '{command}' is not a docker command of this cloud's machines")
        try:
            return commands[command](call, words[1 + command.count(" ") :])
        except WrongArguments as wrong:
            return call.fail(f"docker: {wrong}\n\nRun 'docker {command} --help' for more information", 125)

    def _run(self, call: Call, words: Sequence[str]) -> int:
        options = read_options(words, call.environment)
        made = self._make(call, options)
        if isinstance(made, int):
            return made
        try:
            if options.attach:
                return self._run_attached(call, made)
            made.start(self._log_driver(made))
        except (NotStarted, BotoCoreError, ClientError) as error:
            if options.remove:
                self._forget(made)
            return _not_started(call, error)
        call.say(f"{made.id}\n")
        return 0

    def _run_attached(self, call: Call, container: Container) -> int:
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            container.start(bytes, (call.files[0] if container.options.input else nothing, *call.files[1:]))
        finally:
            os.close(nothing)
        while not container.ended.wait(0.25):
            if call.gone:
                container.kill()
        status = container.status or 0
        if container.options.remove:
            self._forget(container)
        return status

    def _create(self, call: Call, words: Sequence[str]) -> int:
        made = self._make(call, read_options(words, call.environment))
        if isinstance(made, int):
            return made
        call.say(f"{made.id}\n")
        return 0

    def _make(self, call: Call, options: Options) -> Container | int:
        if not self._registries.has(options.image):
            return _refuse(call, f"No such image: {options.image}")
        for mount in options.mounts:
            if not Path(mount.source).exists():
                problem = 'invalid mount config for type "bind": bind source path does not exist'
                return _refuse(call, f"{problem}: {mount.source}")
        with self._lock:
            taken = next((one for one in self._containers.values() if one.name == options.name), None)
            if taken is not None:
                return _refuse(
                    call,
                    f'Conflict. The container name "/{taken.name}" is already in use by container "{taken.id}". You '
                    "have to remove (or rename) that container to be able to reuse that name.",
                )
            container = Container(options, image_named(options.image, self._registries.tables), self._place)
            self._containers[container.id] = container
            return container

    def _log_driver(self, container: Container) -> Callable[[bytes], None]:
        options = container.options.awslogs
        if options is None:
            return bytes
        return LogStream(self._logs(options["awslogs-region"]), options, container.id).hear

    def _wait(self, call: Call, words: Sequence[str]) -> int:
        container = self.container(words[0])
        if container is None:
            return _no_container(call, words[0])
        while container.pid and not container.ended.wait(0.25):
            if call.gone:
                return 1
        container.wait_written()
        call.say(f"{container.status or 0}\n")
        return 0

    def _stop(self, call: Call, words: Sequence[str]) -> int:
        seconds = float(words[1]) if words[0] in ("-t", "--time", "--timeout") else _LONGEST_STOP
        return self._each(call, words[-1:], lambda container: container.stop(seconds))

    def _kill(self, call: Call, words: Sequence[str]) -> int:
        return self._each(call, words[-1:], lambda container: container.signal(signal.SIGKILL))

    def _each(self, call: Call, names: Sequence[str], act: Callable[[Container], None]) -> int:
        for name in names:
            container = self.container(name)
            if container is None:
                return _no_container(call, name)
            act(container)
            call.say(f"{name}\n")
        return 0

    def _remove(self, call: Call, words: Sequence[str]) -> int:
        force = "--force" in words
        for name in (word for word in words if not word.startswith("-")):
            container = self.container(name)
            if container is None:
                if force:  # docker says it and succeeds
                    call.fail(f"Error response from daemon: No such container: {name}")
                    continue
                return _no_container(call, name)
            if container.running and not force:
                return call.fail(
                    f'Error response from daemon: cannot remove container "/{container.name}": container is running: '
                    "stop the container before removing or force remove"
                )
            self._forget(container)
            call.say(f"{name}\n")
        return 0

    def _forget(self, container: Container) -> None:
        container.remove()
        with self._lock:
            self._containers.pop(container.id, None)

    def _show_logs(self, call: Call, words: Sequence[str]) -> int:
        container = self.container(words[-1])
        if container is None:
            return _no_container(call, words[-1])
        data = container.log.read_bytes() if container.log.exists() else b""
        if words[0] == "--tail":
            data = b"".join(data.splitlines(keepends=True)[-int(words[1]) :])
        call.say(data.decode(errors="surrogateescape"))
        return 0

    def _inspect(self, call: Call, words: Sequence[str]) -> int:
        container = self.container(words[-1])
        if container is None:
            call.say("\n")
            return call.fail(f"Error: No such object: {words[-1]}")
        described = {
            "Id": container.id,
            "Name": f"/{container.name}",
            "State": {
                "Status": "running" if container.running else "exited" if container.pid else "created",
                "Running": container.running,
                "Pid": container.pid if container.running else 0,
                "ExitCode": container.status or 0,
            },
            "Config": {
                "Image": container.image.name,
                "Env": [f"{name}={value}" for name, value in container.environment.items()],
            },
        }
        if words[0] != "--format":
            call.say(json.dumps([described], indent=4) + "\n")
            return 0
        try:
            call.say(_format(words[1], described) + "\n")
        except KeyError:
            return call.fail(f"template parsing error: this cloud's docker does not know the format {words[1]}")
        return 0

    def _inspect_image(self, call: Call, words: Sequence[str]) -> int:
        if not self._registries.has(words[0]):
            call.say("[]\n")
            return call.fail(f"Error response from daemon: No such image: {words[0]}")
        call.say(json.dumps([{"RepoTags": [words[0]], "Architecture": "amd64", "Os": "linux"}], indent=4) + "\n")
        return 0

    def _copy(self, call: Call, words: Sequence[str]) -> int:
        source, target = words[-2:]
        name, _, path = source.partition(":")
        container = self.container(name)
        if container is None:
            return _no_container(call, name)
        found = in_container(container.root, path)
        if not found.exists():
            return call.fail(f"Error response from daemon: Could not find the file {path} in container {name}")
        if target != "-":
            shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
            return 0
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            archive.add(found, arcname=".")
        with contextlib.suppress(OSError):
            view = memoryview(data.getvalue())
            while view and select.select([], [call.files[1]], [])[1]:
                view = view[os.write(call.files[1], view) :]
        return 0


def _no_container(call: Call, name: str) -> int:
    return call.fail(f"Error response from daemon: No such container: {name}")


def _not_started(call: Call, error: Exception) -> int:
    if isinstance(error, NotStarted):
        is_program = str(error).startswith("exec: ")
        text = f"{_START_FAILED}{error}: unknown" if is_program else str(error)
        return _refuse(call, text, error.status)
    return _refuse(call, f"failed to initialize logging driver: failed to create Cloudwatch log stream: {error}")


def _refuse(call: Call, text: str, status: int = 125) -> int:
    """Say why `docker run` starts nothing."""
    return call.fail(
        f"docker: Error response from daemon: {text}\n\nRun 'docker run --help' for more information", status
    )


def _format(template: str, described: Mapping[str, Any]) -> str:
    """Return what docker makes of the templates that the boot script has.

    Raises:
        KeyError: another template.
    """
    if template == '{{range .Config.Env}}{{.}}{{printf "%c" 0}}{{end}}':
        return "".join(f"{one}\0" for one in described["Config"]["Env"])
    path = re.fullmatch(r"\{\{((?:\.[A-Za-z]+)+)\}\}", template)
    if path is None:
        raise KeyError(template)
    found: Any = described
    for name in path[1].lstrip(".").split("."):
        found = found[name]
    return str(found).lower() if isinstance(found, bool) else str(found)
