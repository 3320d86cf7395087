"""Starts the provider as Terraform starts it, and ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc

_COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
"""What a provider wants to see in its environment, so that nobody starts it by accident (go-plugin)."""
_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    ("grpc.max_receive_message_length", 64 << 20),
)
"""The provider's schema is a message of several megabytes."""


_ENDS_WITH_ITS_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"
"""prctl(PR_SET_PDEATHSIG, SIGKILL), and then the program. The provider itself does not notice that nobody asks it."""
_HANDED_ON = ("SERVESTACK_",)
"""Variables of this process that it gets too: by them it is found where it is left behind."""


@contextmanager
def running(binary: Path, environment: Mapping[str, str] | None = None) -> Generator[tuple[int, grpc.Channel]]:
    """The process id and an open channel, for the time of the block.

    The provider has an environment of its own, so that it finds no account but one that `environment` names. It ends
    with the thread that starts it.
    """
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        process = subprocess.Popen(
            _command(binary),
            env={**_own(), **(environment or {}), "TMPDIR": folder, "HOME": folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            # CORE-PROTOCOL | APP-PROTOCOL | NETWORK | ADDRESS | PROTOCOL |
            fields = line.strip().split("|")
            if fields[:3] != ["1", "5", "unix"] or fields[4:5] != ["grpc"]:
                log.seek(0)
                raise RuntimeError(f"{binary} does not speak protocol 5: it said {line!r}, and {log.read()[-2000:]!r}")
            with grpc.insecure_channel(f"unix:{fields[3]}", options=_OPTIONS) as channel:
                yield process.pid, channel
        finally:
            process.kill()
            process.wait(15)
            if process.stdout:
                process.stdout.close()


def _command(binary: Path) -> list[str]:
    if sys.platform != "linux":
        return [str(binary)]
    return [sys.executable, "-SE", "-c", _ENDS_WITH_ITS_PARENT, str(binary)]


def _own() -> dict[str, str]:
    own = {"TF_PLUGIN_MAGIC_COOKIE": _COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "5", "AWS_EC2_METADATA_DISABLED": "true"}
    return own | {name: value for name, value in os.environ.items() if name.startswith(_HANDED_ON)}
