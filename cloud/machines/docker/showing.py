"""What docker shows of a container: its log, its state, its files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from cloud.machines.calls import Call
from cloud.machines.docker.container import Container
from cloud.machines.docker.file_system import in_container


def show_logs(call: Call, words: Sequence[str], container: Container | None) -> int:
    """`docker logs [--tail N] NAME`."""
    if container is None:
        return no_container(call, words[-1])
    data = container.log.read_bytes() if container.log.exists() else b""
    if words[0] == "--tail":
        data = b"".join(data.splitlines(keepends=True)[-int(words[1]) :])
    call.say(data.decode(errors="surrogateescape"))
    return 0


def inspect(call: Call, words: Sequence[str], container: Container | None) -> int:
    """`docker inspect [--format TEMPLATE] NAME`."""
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


def copy_files(call: Call, words: Sequence[str], container: Container | None) -> int:
    """`docker cp [--archive] NAME:PATH FOLDER|-`."""
    source, target = words[-2:]
    name, _, path = source.partition(":")
    if container is None:
        return no_container(call, name)
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


def no_container(call: Call, name: str) -> int:
    """Say that there is no such container; returns the status."""
    return call.fail(f"Error response from daemon: No such container: {name}")


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
