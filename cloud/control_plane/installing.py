"""Puts the parts of the control plane together. Importing this module imports moto, so its settings come first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from werkzeug.serving import BaseWSGIServer

from cloud.control_plane import machines, unknown, world
from cloud.control_plane.clock import Clock
from cloud.control_plane.data_plane import DataPlane
from cloud.control_plane.lacking import api
from cloud.control_plane.server import Application, serve


@contextlib.contextmanager
def running(
    *,
    port: int,
    clock: Clock,
    zones: Sequence[str],
    first_load_balancer_port: int,
    instances_by_themselves: bool = False,
) -> Iterator[BaseWSGIServer]:
    """The control plane in this process, with a server that listens on `port` (0: any) and is not served yet."""
    api.without_openapi()
    unknown.install()
    machines.install(by_themselves=instances_by_themselves)
    world.make(zones)
    server = serve(Application(DataPlane()), port)
    try:
        yield server
    finally:
        server.server_close()
