"""docker of one machine: its images, its containers, and the answers of the command `docker`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloud.machines.calls import Call
from cloud.machines.docker.awslogs import LogStream
from cloud.machines.docker.container import Container, Place
from cloud.machines.docker.images import image_named
from cloud.machines.docker.options import Options, WrongArguments, read_options
from cloud.machines.docker.publishing import NotStarted
from cloud.machines.docker.pulling import Registries
from cloud.machines.docker.showing import copy_files, inspect, no_container, show_logs

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
        self._streams: list[LogStream] = []
        self._lock = threading.Lock()
        shutil.rmtree(place.folder, ignore_errors=True)  # containers end with the machine's power
        place.folder.mkdir(parents=True)

    def close(self) -> None:
        """End all containers, as a machine that powers off does."""
        for container in list(self._containers.values()):
            container.kill()

    def wait_logged(self) -> None:
        """Wait until CloudWatch has what the containers wrote, after all of them have ended. docker's own server closes
        its log streams too before it ends."""
        for stream in self._streams:
            stream.close()

    def container(self, name: str) -> Container | None:
        """Return the container with this name or id."""
        with self._lock:
            return next((one for one in self._containers.values() if name == one.name or one.id.startswith(name)), None)

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
            "logs": lambda call, rest: show_logs(call, rest, self.container(rest[-1])),
            "inspect": lambda call, rest: inspect(call, rest, self.container(rest[-1])),
            "cp": lambda call, rest: copy_files(call, rest, self.container(rest[-2].partition(":")[0])),
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
            self._start(made)
        except (NotStarted, BotoCoreError, ClientError) as error:
            if options.remove:
                self._forget(made)
            return _not_started(call, error)
        call.say(f"{made.id}\n")
        return 0

    def _start(self, container: Container) -> None:
        hear = self._log_driver(container)
        try:
            container.start(hear)
        except BaseException:
            hear(b"")  # its log stream ends too, or `wait_logged` would wait for it
            raise

    def _run_attached(self, call: Call, container: Container) -> int:
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            container.start(_hear_nothing, (call.files[0] if container.options.input else nothing, *call.files[1:]))
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
        with self._lock:
            taken = next((one for one in self._containers.values() if one.name == options.name), None)
            if taken is not None:
                return _refuse(
                    call,
                    f'Conflict. The container name "/{taken.name}" is already in use by container "{taken.id}". You '
                    "have to remove (or rename) that container to be able to reuse that name.",
                )
            container = Container(options, image_named(options.image, self._registries.tables), self._place)
            for given, mount in zip(options.mounts, container.mounts, strict=True):
                if not Path(mount.source).exists():
                    container.remove()
                    problem = 'invalid mount config for type "bind": bind source path does not exist'
                    return _refuse(call, f"{problem}: {given.source}")
            self._containers[container.id] = container
            return container

    def _log_driver(self, container: Container) -> Callable[[bytes], None]:
        options = container.options.awslogs
        if options is None:
            return _hear_nothing
        stream = LogStream(self._logs(options["awslogs-region"]), options, container.id)
        with self._lock:
            self._streams = [*(one for one in self._streams if one.sending), stream]
        return stream.hear

    def _wait(self, call: Call, words: Sequence[str]) -> int:
        container = self.container(words[0])
        if container is None:
            return no_container(call, words[0])
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
                return no_container(call, name)
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
                return no_container(call, name)
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

    def _inspect_image(self, call: Call, words: Sequence[str]) -> int:
        if not self._registries.has(words[0]):
            call.say("[]\n")
            return call.fail(f"Error response from daemon: No such image: {words[0]}")
        call.say(json.dumps([{"RepoTags": [words[0]], "Architecture": "amd64", "Os": "linux"}], indent=4) + "\n")
        return 0


def _hear_nothing(_: bytes) -> None:
    """For output that goes nowhere else."""


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
