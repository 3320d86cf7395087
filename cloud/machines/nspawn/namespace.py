"""A network namespace: its own loopback, and nothing outside of it can be reached.

It has no name and no file. It exists while this process has it open or a process runs in it, so nothing is left of it
after a crash.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


class NetworkNamespace:
    """A new network namespace with `addresses` (with their prefix lengths) on its loopback device."""

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        self._descriptor = _in_thread(_opened)
        self._ip("link", "set", "lo", "up")
        for address in addresses:
            self._ip("address", "add", address, "dev", "lo")

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs `command` in here. Start it in a thread that lives as long as the program:
        the kernel ends the program with that thread, also if this process is killed."""
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.path}", "--", *command]

    def run(self, function: Callable[[], T]) -> T:
        """Return what `function` returns, called in here. Its sockets stay in here, whoever uses them later."""

        def inside() -> T:
            _call(_LIBC.setns(self._descriptor, _CLONE_NEWNET))
            return function()

        return _in_thread(inside)

    def join(self, other: NetworkNamespace, *, address: str, others: str) -> None:
        """Lay a cable to another namespace. Both ends are named eth0, and have an address with its prefix length."""
        self._ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", other.path)
        for namespace, own in ((self, address), (other, others)):
            namespace._ip("address", "add", own, "dev", "eth0")
            namespace._ip("link", "set", "eth0", "up")

    def close(self) -> None:
        os.close(self._descriptor)

    def _ip(self, *words: str) -> None:
        subprocess.run(self.command(["ip", *words]), check=True, stdin=subprocess.DEVNULL)


def _opened() -> int:
    _call(_LIBC.unshare(_CLONE_NEWNET))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _call(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"a network namespace needs root: {os.strerror(number)}")


def _in_thread(function: Callable[[], T]) -> T:
    """Call `function` in a thread of its own: a namespace belongs to a thread."""
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
