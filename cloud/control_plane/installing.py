"""Puts the parts of the control plane together. Importing this module imports moto, so its settings come first."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request

from cloud.control_plane import alarms, groups, inventory, machines, unknown, world
from cloud.control_plane.clock import Clock
from cloud.control_plane.data_plane import DataPlane, members
from cloud.control_plane.lacking import account, api, balancing, buckets, functions, logs, network, records, scaling
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
) -> Generator[BaseWSGIServer]:
    """The control plane in this process, with a server that listens on `port` (0: any) and is not served yet.

    `stands_still`: groups and alarms do not move on by themselves, because a test moves them.
    """
    data_plane = DataPlane()
    _patch_moto(clock, data_plane, first_load_balancer_port, by_themselves=by_themselves)
    world.make(zones)
    at_the_start = inventory.resources()

    def resources(_: Request) -> Sequence[Mapping[str, str]]:
        return inventory.since(at_the_start)

    data_plane.add("GET", "/cloud/resources", resources)
    data_plane.add("GET", "/cloud/load-balancers", _load_balancers)
    data_plane.add("PUT", "/cloud/target-health", _report_targets)
    data_plane.add("GET", "/cloud/functions", _functions)
    data_plane.add("GET", "/cloud/functions/<region>/<name>/code", _code)
    server = serve(Application(data_plane), port)
    with contextlib.closing(groups.Keeper(clock)) as keeper, contextlib.closing(alarms.Evaluator(clock)) as evaluator:
        if not stands_still:
            keeper.start()
            evaluator.start()
        try:
            yield server
        finally:
            server.server_close()


def _patch_moto(clock: Clock, data_plane: DataPlane, first_load_balancer_port: int, *, by_themselves: bool) -> None:
    """In this order: groups stand in place of moto's before anything patches them."""
    unknown.install()
    groups.install(clock, data_plane)
    machines.install(by_themselves=by_themselves)
    account.install()
    api.install()
    buckets.install()
    balancing.install(clock, first_load_balancer_port, by_themselves=by_themselves)
    functions.install()
    logs.install()
    network.install()
    records.install()
    scaling.install()
    alarms.install()


def _report_targets(request: Request) -> None:
    reported = members(request)
    balancing.report(reported["target_group"], reported["targets"])


def _load_balancers(_: Request) -> Sequence[Mapping[str, Any]]:
    return balancing.listed()


def _functions(_: Request) -> Sequence[Mapping[str, Any]]:
    return functions.listed()


def _code(_: Request, region: str, name: str) -> bytes:
    return functions.code(region, name)
