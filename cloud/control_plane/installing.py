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
from cloud.control_plane.lacking import account, api, balancing, buckets, functions, logs, network, scaling
from cloud.control_plane.server import Application, serve


@contextlib.contextmanager
def running(
    *,
    port: int,
    clock: Clock,
    zones: Sequence[str],
    first_load_balancer_port: int,
    by_themselves: bool = False,
    stands_still: bool = False,
) -> Iterator[BaseWSGIServer]:
    """The control plane in this process, with a server that listens on `port` (0: any) and is not served yet.

    `stands_still`: groups and alarms do not move on by themselves, because a test moves them.
    """
    data_plane = DataPlane()
    _patch_moto(port, clock, data_plane, first_load_balancer_port, by_themselves=by_themselves)
    world.make(zones)
    at_the_start = inventory.resources()
    data_plane.add("GET", "/cloud/resources", lambda _: inventory.since(at_the_start))
    data_plane.add("GET", "/cloud/load-balancers", lambda _: balancing.listed())
    data_plane.add("PUT", "/cloud/target-health", _report_targets)
    data_plane.add("GET", "/cloud/functions", lambda _: functions.listed())
    data_plane.add("GET", "/cloud/functions/<region>/<name>/code", lambda _, region, name: functions.code(region, name))
    server = serve(Application(data_plane), port)
    with contextlib.closing(groups.Keeper(clock)) as keeper, contextlib.closing(alarms.Evaluator(clock)) as evaluator:
        if not stands_still:
            keeper.start()
            evaluator.start()
        try:
            yield server
        finally:
            server.server_close()


def _patch_moto(
    port: int, clock: Clock, data_plane: DataPlane, first_load_balancer_port: int, *, by_themselves: bool
) -> None:
    """In this order: groups stand in place of moto's before anything patches them."""
    unknown.install()
    groups.install(clock, data_plane)
    machines.install(port=port, by_themselves=by_themselves)
    account.install()
    api.install()
    buckets.install()
    balancing.install(clock, first_load_balancer_port, by_themselves=by_themselves)
    functions.install()
    logs.install()
    network.install()
    scaling.install()
    alarms.install()


def _report_targets(request: Request) -> None:
    members = json.loads(request.data)
    balancing.report(members["target_group"], members["targets"])
