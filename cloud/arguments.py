"""The command line of `make cloud`, which runs `python -m cloud`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.addresses import DOMAIN, Addresses
from cloud.machines.kinds import KINDS, PLAYED

FOLDER = Path(__file__).parents[1] / ".cache" / "cloud"
DEMO_SPEED = 60.0
"""A stream whose client has left keeps its replica from ending for 15 minutes, which are 15 seconds then."""
_WORD = re.compile(r"[\w./@+-]+")
_LABELS = re.compile(r"(?=.{1,200}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the user asks for."""

    demo: bool
    domain: str
    port: int
    """Of the control plane; the proxy has the next one."""
    https_port: int | None
    speed: float
    """How many times faster than the clock AWS's own waiting times run."""
    folder: Path
    machines: str
    """The kind of the machines, one of `cloud.machines.kinds.KINDS`."""


def read_arguments(line: Sequence[str]) -> Arguments:
    """Read a command line. A wrong one ends the process with status 2 and a usage message, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="make cloud",
        usage='make cloud [ARGS="--demo --speed 10 --domain models.localhost"]',
        allow_abbrev=False,
        description="Start a small cloud on 127.0.0.1, without an account, in which the deployment commands work.",
    )
    parser.add_argument("--demo", action="store_true", help="deploy into it, ask, destroy, show a table, and end")
    parser.add_argument(
        "--domain", type=_domain, default=DOMAIN, help=f"a domain with a hosted zone (default: {DOMAIN})"
    )
    parser.add_argument(
        "--port", type=_port, default=Addresses.control_plane, help="port of AWS's API; the next ones are used too"
    )
    parser.add_argument(
        "--https-port", type=_port, help="port of https://<run name>.<domain> (default: 443, else 8443)"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        help=f"how many times faster AWS's own waiting times run: periods of alarms, warm-ups, draining (default: 1; "
        f"with --demo {DEMO_SPEED:g})",
    )
    parser.add_argument(
        "--folder", type=_folder, default=str(FOLDER), help="where the cloud keeps its files (default: .cache/cloud)"
    )
    parser.add_argument(
        "--machines",
        choices=KINDS,
        default=PLAYED,
        help="what an instance is: a group of processes with docker and systemd played, or Debian in systemd-nspawn, "
        f"which needs root and 1 GB of disk (default: {PLAYED})",
    )
    given = parser.parse_args(line)
    return Arguments(
        demo=given.demo,
        domain=given.domain,
        port=given.port,
        https_port=given.https_port,
        speed=given.speed or (DEMO_SPEED if given.demo else 1.0),
        folder=given.folder,
        machines=given.machines,
    )


def _domain(text: str) -> str:
    if not _LABELS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a domain: write one in lower case, such as {DOMAIN}")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: write a number from 1 to 65000")
    return int(text)


def _folder(text: str) -> Path:
    """The boot script of a machine, its unit file and its PATH have the folder's path as one plain word."""
    folder = Path(text).absolute()
    if not _WORD.fullmatch(str(folder)):
        raise argparse.ArgumentTypeError(
            f"{str(folder)!r}: machines boot only in a path of letters, digits and any of _ - . / @ +: choose another "
            "folder, such as --folder /tmp/cloud"
        )
    return folder


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: write a number from 1 to 600")
    return speed
