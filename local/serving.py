"""The processes of one `make local`: started together, watched, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from local.asking import wait_until_serving
from local.children import Child, Hear

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds between two messages about what is being waited for."""


class PortTaken(Exception):
    """The port is in use. `str()` names the remedy."""


class Stopped(Exception):
    """The user asked for the end, by Ctrl-C or SIGTERM. This is not a failure."""


class Processes:
    """Children that live and die together: an async context that leaves none behind.

    Work that is awaited through `unless_ended` stops as soon as a child dies (`ChildDied`) or the user wants to stop
    (`Stopped`).
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._children: list[Child] = []
        self._deaths: list[asyncio.Task[Exception]] = []
        self._cleanups: list[Callable[[], Awaitable[None]]] = []
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup: it continues without its terminal
            loop.add_signal_handler(number, self._stop.set)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for death in self._deaths:
            death.cancel()
        await asyncio.gather(*(child.end() for child in self._children))
        for cleanup in self._cleanups:
            await cleanup()

    async def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], hear: Hear | None = None
    ) -> None:
        """Start a child that must live as long as this context."""
        child = await Child.start(name, command, environment=environment, hear=hear)
        self._children.append(child)
        self._deaths.append(asyncio.create_task(child.died()))

    def at_the_end(self, cleanup: Callable[[], Awaitable[None]]) -> None:
        """Run `cleanup` after all children have ended."""
        self._cleanups.append(cleanup)

    async def until_serving(self, name: str, url: str, path: str, good: Callable[[int], bool]) -> None:
        """Wait for the server of a child, without a time limit."""
        await self.until_ready(name, wait_until_serving(url, path, good))

    async def until_ready(self, name: str, ready: Coroutine[Any, Any, T], state: str = "serving") -> T:
        """Return the result of `ready`, without a time limit. Say so while it takes long, and when it is there."""
        started = time.monotonic()
        waiting = asyncio.create_task(ready)
        try:
            while not waiting.done():
                await self.unless_ended(asyncio.wait([waiting], timeout=PATIENCE))
                if not waiting.done():
                    self.say(f"{name}: not {state} yet, after {time.monotonic() - started:.0f} s …")
            result = waiting.result()
            self.say(f"{name}: {state} after {time.monotonic() - started:.1f} s")
            return result
        finally:
            waiting.cancel()

    async def unless_ended(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`, unless a child dies or the user wants to stop first."""
        doing = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([doing, stopping, *self._deaths], return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                raise Stopped
            for death in self._deaths:
                if death.done():
                    raise death.result()
            return doing.result()
        finally:
            doing.cancel()
            stopping.cancel()

    async def until_ended(self) -> None:
        """Wait for the end: raises `Stopped` or `ChildDied`."""
        await self.unless_ended(asyncio.Event().wait())


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def check_port(port: int) -> None:
    """Check that `port` can be served on.

    Raises:
        PortTaken: another program listens there, or this user is not allowed to.
    """
    hold_port(port).close()


def hold_port(port: int) -> socket.socket:
    """Return a socket of the port to serve on, as `held` does: `port`, or a free one for 0.

    Raises:
        PortTaken: another program listens there, or this user is not allowed to.
    """
    try:
        return held(port)
    except PermissionError:
        raise PortTaken(
            f"port {port}: only root can use it here. Choose a port from 1024 on: make local PORT=8000"
        ) from None
    except OSError:
        raise PortTaken(
            f"Port {port} of 127.0.0.1 is in use by another program. End it, or choose another port: "
            f"make local PORT={port + 1 if port < 65535 else 8000}"
        ) from None


def held(port: int = 0) -> socket.socket:
    """Return a socket of 127.0.0.1 that does not listen. On Linux, while it is open, the OS gives its port to no
    program that does not name it. One that names it with SO_REUSEADDR, as servers do, can listen there.

    Raises `OSError`.
    """
    with contextlib.ExitStack() as failed:
        holder = failed.enter_context(socket.socket())
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        failed.pop_all()
        return holder


def let_others_bind(holder: socket.socket) -> None:
    """Close a socket that holds a port where a port can have only one."""
    if sys.platform != "linux":
        holder.close()
