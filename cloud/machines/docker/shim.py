"""Starts one container and stays beside it, as docker's own shim does. It has no package but this project.

The shim stays outside of the container's process ids, but in its network, so that it can forward connections from the
published port.

Standard input: the first line is what to run, as JSON (`Spec`). When it closes, the container is killed.
Standard output: `{"pid": N}` when the container runs, `{"refused": "…", "status": N}` when it cannot, and
`{"status": N}` when it has ended: 128 + N after a signal N. The published port is free by then.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from typing import TypedDict

from cloud.machines.docker.entering import REFUSED, Refused, enter
from cloud.machines.docker.forwarder import Forwarder
from cloud.machines.docker.separation import die_with_parent, furnish, separate, separate_process_ids

DRAIN = 5
"""Seconds for what the container has sent to arrive, after its end."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Spec(TypedDict):
    """A container."""

    root: str
    command: list[str]
    environment: dict[str, str]
    directory: str
    user: str
    as_root: bool
    """Whether the shim is root, which alone can become other users."""
    hostname: str
    terminal: bool
    stdio: list[int]
    """The files of the process."""
    listeners: list[tuple[int, bool]]
    """Sockets that listen, and whether others than the machine come through them."""
    port: int
    """The container's port."""
    binds: list[tuple[str, str, bool]]
    shm_bytes: int
    closed: str
    local: str
    """The files of `Forwarder`."""


def main() -> None:
    """Run the container that standard input describes, until it ends."""
    spec: Spec = json.loads(sys.stdin.buffer.readline())
    for descriptor in (*spec["stdio"], *(listener for listener, _ in spec["listeners"])):
        os.set_inheritable(descriptor, False)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        separate()
        separate_process_ids()
    except OSError as error:
        _tell({"refused": f"namespaces: {error.strerror}", "status": REFUSED})
        return
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _begin(spec, writing)
    os.close(writing)
    for descriptor in set(spec["stdio"]):
        os.close(descriptor)
    with os.fdopen(reading, "rb") as pipe:
        refusal = pipe.read()
    if refusal:
        os.waitpid(pid, 0)
        sys.stdout.write(refusal.decode() + "\n")
        return
    _tell({"pid": pid})
    _tell({"status": asyncio.run(_accompany(spec, pid))})


def _begin(spec: Spec, writing: int) -> None:
    """Become the container's first process, or write to the pipe why not."""
    try:
        die_with_parent()
        for number in (*_SIGNALS, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        socket.sethostname(spec["hostname"])
        furnish(spec["root"], spec["binds"], spec["shm_bytes"])
        os.chroot(spec["root"])
        enter(
            spec["command"],
            spec["environment"],
            stdio=spec["stdio"],
            terminal=spec["terminal"],
            directory=spec["directory"],
            user=spec["user"],
            as_root=spec["as_root"],
        )
    except Refused as refused:
        os.write(writing, json.dumps({"refused": str(refused), "status": refused.status}).encode())
    except OSError as error:
        text = f"{error.filename or 'container'}: {error.strerror}"
        os.write(writing, json.dumps({"refused": text, "status": REFUSED}).encode())
    finally:
        os._exit(1)


async def _accompany(spec: Spec, pid: int) -> int:
    """Forward the published port until the container has ended; returns its status."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    end = os.pidfd_open(pid)
    loop.add_reader(end, ended.set)

    def kill_at_the_end_of_input() -> None:
        if not os.read(0, 1):
            loop.remove_reader(0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    loop.add_reader(0, kill_at_the_end_of_input)
    forwarder = Forwarder(spec["port"], closed=spec["closed"], local=spec["local"])
    servers = [await forwarder.listen(descriptor, outside=outside) for descriptor, outside in spec["listeners"]]
    await ended.wait()
    loop.remove_reader(end)
    status = _status(pid)
    for server in servers:
        server.close()
    if forwarder.tasks:
        await asyncio.wait(forwarder.tasks, timeout=DRAIN)
    return status if status >= 0 else 128 - status


def _status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _tell(said: dict[str, object]) -> None:
    """Write a line for the engine."""
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
