"""Where the parts of the cloud are. All of them are on 127.0.0.1, but for the instances, which have addresses of
127.64.0.0/10."""

from __future__ import annotations

import errno
import random
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"
DOMAIN = "models.localhost"
REGION = "us-east-1"
HTTPS_PORTS = (443, 8443)
"""The first one that this user may listen on."""
_LOAD_BALANCERS = 34
"""From the port of the control plane to that of the first load balancer."""
_A_CLOUD = 50
"""Ports of one cloud."""

_TAKEN = "is in use"


class PortTaken(Exception):
    """A port is in use. `str()` names the remedy."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The ports of one cloud."""

    control_plane: int = 4566
    https: int = HTTPS_PORTS[0]
    """Of the API: of `https://gateway.<domain>` and `https://<run name>.<domain>`."""
    proxy: int = 4567
    """Of the proxy by which a program reaches the names of the cloud if this machine does not resolve them."""
    first_load_balancer: int = 4600
    """Each load balancer has the next port."""

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL is."""
        return f"http://{HOST}:{self.control_plane}"

    @property
    def proxy_url(self) -> str:
        return f"http://{HOST}:{self.proxy}"


def free_addresses() -> Addresses:
    """Return ports that are free now, for tests and for a second cloud. The system gives none of them to a program that
    asks for any."""
    for first in random.sample(range(10_000, 30_000, _A_CLOUD), 100):
        if all(_problem(port) is None for port in range(first, first + _A_CLOUD)):
            return Addresses(
                control_plane=first, https=first + 2, proxy=first + 1, first_load_balancer=first + _LOAD_BALANCERS
            )
    raise PortTaken(f"no {_A_CLOUD} ports of {HOST} in a row are free")


def chosen_addresses(first: int, https: int | None) -> Addresses:
    """Return the ports of a cloud whose control plane is at `first`.

    `https`: `None` for 443, or for 8443 if 443 is taken or forbidden.

    Raises:
        PortTaken: one of them cannot be used.
    """
    wanted = HTTPS_PORTS if https is None else (https,)
    chosen = next((port for port in wanted if _problem(port) is None), None)
    addresses = Addresses(
        control_plane=first,
        https=wanted[-1] if chosen is None else chosen,
        proxy=first + 1,
        first_load_balancer=first + _LOAD_BALANCERS,
    )
    own = (first, first + 1, *range(first + _LOAD_BALANCERS, first + _A_CLOUD))
    if addresses.https in own:
        raise PortTaken(f"--https-port {addresses.https}: --port {first} needs this port itself. Choose another one")
    problems = {port: why for port in (*own, addresses.https) if (why := _problem(port))}
    if problems:
        found = "; ".join(f"port {port} of {HOST} {why}" for port, why in problems.items())
        others = ["--port 5566"] if problems.keys() & set(own) else []
        others += ["--https-port 9443"] if addresses.https in problems else []
        remedy = "End the program that uses it, or choose" if set(problems.values()) == {_TAKEN} else "Choose"
        raise PortTaken(f'{found}. {remedy} another port: make cloud ARGS="{" ".join(others)}"')
    return addresses


def _problem(port: int) -> str | None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            return "can only be used by root" if error.errno == errno.EACCES else _TAKEN
    return None
