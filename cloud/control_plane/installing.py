"""Puts the parts of the control plane together. Importing this module imports moto, so its settings come first."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence

from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request

from cloud.control_plane import alarms, groups, inventory, machines, unknown, world
from cloud.control_plane.clock import Clock
from cloud.control_plane.data_plane import DataPlane
from cloud.control_plane.lacking import account, api, balancing, functions, network, scaling
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
    unknown.install()
    account.install()
    api.install()
    balancing.install(clock, first_load_balancer_port)
    functions.install()
    network.install()
    scaling.install()
    machines.install(by_themselves=instances_by_themselves)
    world.make(zones)
    at_the_start = inventory.resources()
    data_plane = DataPlane()
    data_plane.add("GET", "/cloud/load-balancers", lambda _: balancing.listed())
    data_plane.add("PUT", "/cloud/target-health", _report_targets)
    data_plane.add("GET", "/cloud/functions", lambda _: functions.listed())
    data_plane.add("GET", "/cloud/functions/<region>/<name>/code", lambda _, region, name: functions.code(region, name))
    data_plane.add("GET", "/cloud/resources", lambda _: inventory.since(at_the_start))
    groups.install(clock, data_plane)
    alarms.install()
    server = serve(Application(data_plane), port)
    try:
        yield server
    finally:
        server.server_close()


def _report_targets(request: Request) -> None:
    members = json.loads(request.data)
    balancing.report(members["target_group"], members["targets"])
