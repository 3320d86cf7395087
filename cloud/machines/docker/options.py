"""What `docker run` and `docker create` are told, by the options that the boot script uses."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloud.machines.docker.file_system import Mount

_SWITCHES = ("detach", "tty", "privileged", "rm", "interactive")
_VALUES = (
    "name", "pull", "gpus", "publish", "log-driver", "log-opt", "mount", "env", "shm-size", "workdir", "user",
    "entrypoint",
)  # fmt: skip
SHM_BYTES = 64 << 20
"""docker's own size of /dev/shm."""
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `docker run` and `docker create` were told."""

    image: str
    arguments: tuple[str, ...] = ()
    name: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    entrypoint: str | None = None
    directory: str = "/"
    user: str = ""
    terminal: bool = False
    gpus: bool = False
    shm_bytes: int = SHM_BYTES
    mounts: tuple[Mount, ...] = ()
    published: tuple[int, int] | None = None
    """The port of the machine and the port of the container."""
    awslogs: Mapping[str, str] | None = None
    """The options of the log driver awslogs; `None`: another driver."""
    remove: bool = False
    attach: bool = False
    input: bool = False


class WrongArguments(Exception):
    """docker would refuse the command line. `str()` is what it says."""


def read_options(words: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Return what `docker run` is told. `environment`: the variables of docker's own process.

    Raises:
        WrongArguments: it cannot be read.
    """
    switches: set[str] = set()
    values: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).removeprefix("--").partition("=")
        if name in _SWITCHES:
            switches.add(name)
        elif name in _VALUES:
            if not equals and not rest:
                raise WrongArguments(f"flag needs an argument: --{name}")
            values.setdefault(name, []).append(value if equals else rest.pop(0))
        else:
            raise WrongArguments(f"unknown flag: --{name}")
    if not rest:
        raise WrongArguments('"docker run" requires at least 1 argument.')
    last = {name: given[-1] for name, given in values.items()}
    log_options = dict(one.split("=", 1) for one in values.get("log-opt", []))
    return Options(
        image=rest[0],
        arguments=tuple(rest[1:]),
        name=last.get("name"),
        environment=_environment(values.get("env", []), environment),
        entrypoint=last.get("entrypoint") or None,
        directory=last.get("workdir", "/"),
        user=last.get("user", ""),
        terminal="tty" in switches,
        gpus="gpus" in last,
        shm_bytes=_bytes(last["shm-size"]) if "shm-size" in last else SHM_BYTES,
        mounts=tuple(_mount(one) for one in values.get("mount", [])),
        published=_ports(last["publish"]) if "publish" in last else None,
        awslogs=log_options if last.get("log-driver") == "awslogs" else None,
        remove="rm" in switches,
        attach="detach" not in switches,
        input="interactive" in switches,
    )


def _environment(given: Sequence[str], own: Mapping[str, str]) -> Mapping[str, str]:
    """A name alone takes the value that docker itself has, if it has one."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if equals:
            found[name] = value
        elif name in own:
            found[name] = own[name]
    return found


def _mount(text: str) -> Mount:
    fields: dict[str, Any] = dict(one.split("=", 1) for one in next(csv.reader([text])) if "=" in one)
    if fields.get("type") != "bind" or "source" not in fields or "target" not in fields:
        raise WrongArguments(f'invalid argument "{text}" for "--mount" flag: this docker has only type=bind')
    return Mount(fields["source"], fields["target"])


def _ports(text: str) -> tuple[int, int]:
    outside, colon, inside = text.partition(":")
    if not colon or not outside.isdigit() or not inside.isdigit():
        raise WrongArguments(
            f'invalid argument "{text}" for "-p, --publish" flag: invalid containerPort: {inside or outside}'
        )
    return int(outside), int(inside)


def _bytes(text: str) -> int:
    read = re.fullmatch(r"([0-9]+)([bkmg]?)b?", text.lower())
    if read is None:
        raise WrongArguments(f'invalid argument "{text}" for "--shm-size" flag: invalid size: \'{text}\'')
    return int(read[1]) * _UNITS[read[2] or "b"]
