"""What a machine's process is told of its machine, and how it hears of the power: the protocol of both kinds.

Standard input: the first line is the machine as JSON. After it, the line `shut down` is the power button. The end of
the input cuts the power: everything that runs is killed.
Standard output: the line `on` as soon as the machine is on. The process ends when the machine is off.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import Protocol

MARK = "SERVESTACK_MACHINES"
"""The variable by which processes of machines are found when nobody is left who knows their ids."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A machine."""

    folder: str
    instance: str
    region: str
    zone: str
    type: str
    image: str
    role: str | None
    address: str
    user_data: str
    """As EC2 keeps it, in base64."""
    endpoint: str
    """Of the control plane."""
    model: str
    """The folder with the sockets of the shared models."""
    tables: str
    """The folder with images.csv and programs.csv."""


class Powered(Protocol):
    """A machine that is on."""

    off: threading.Event
    """Set when it has asked for its own end."""

    def shut_down(self) -> None:
        """Stop what runs in order, and return when the machine is off."""

    def cut_power(self) -> None:
        """End everything at once."""


def stay_on(machine: Powered) -> None:
    """Say that the machine is on, and end this process when it is off."""
    power: list[str] = []

    def listen() -> None:
        power.append(sys.stdin.readline().strip())
        machine.off.set()
        if power[0]:
            sys.stdin.read()
            machine.cut_power()
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    print("on", flush=True)
    machine.off.wait()
    if power == [""]:
        machine.cut_power()
    else:
        machine.shut_down()
    os._exit(0)  # threads that still wait for somebody do not matter any more
