"""One `make local`, from the command line to the end: plan, start, wait, say what to paste, serve."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec

from gateway_lambda.registry.record import Key, Model, Registry, Service
from infra.planning.chat_template import ChatTemplate
from infra.planning.repository import HubError
from infra.planning.routing_record import service_record
from local import stand_in
from local.arguments import Arguments
from local.banner import Run, banner
from local.container import Docker, DockerMissing, find_docker
from local.keys import key_record, make_key
from local.model_server.standin import StandInMissing
from local.registry_file import write_registry
from local.runs import CannotServe, PlannedRun, plan_runs
from local.served import write_served
from local.serving import PortTaken, Processes, check_port, hold_port, let_others_bind
from local.upstreams import (
    Upstream,
    UpstreamUnusable,
    ask_upstream,
    chat_templates,
    running_upstreams,
    start_containers,
    start_stand_ins,
)
from local.weights import Weights, choose_weights, small_weights

CannotStart = (CannotServe, DockerMissing, HubError, PortTaken, StandInMissing, UpstreamUnusable)
"""Errors before anything runs. `str()` of each is the message for the user."""

GATEWAY_GRACE = 1
"""Seconds that running answers have at Ctrl-C."""
_ROOT = Path(__file__).parents[1]


def serve(arguments: Arguments, environment: Mapping[str, str], out: TextIO) -> None:
    """Serve until the end, which is one of these exceptions.

    Raises:
        local.serving.Stopped: the user ended it.
        local.children.ChildDied: a process ended that must not end.
        CannotStart: nothing was started.
    """

    def say(text: str) -> None:
        out.write(f"{text}\n")
        out.flush()

    prepared = _prepare(arguments, environment, say)
    # Until here, Ctrl-C interrupts what is done. From here on, the event loop handles it.
    asyncio.run(_serve(arguments, environment, prepared, out, say))


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """What is known before anything runs."""

    runs: Sequence[PlannedRun]
    port: socket.socket
    """Its port is served on. It is open until the gateway serves there."""
    docker: Docker | None
    weights: Weights | None
    """`None`: nothing stands in."""
    own: ChatTemplate | None
    """The chat template of the weights."""
    running: Sequence[Upstream]
    """The server of `--upstream`, for each run."""


def _prepare(arguments: Arguments, environment: Mapping[str, str], say: Callable[[str], None]) -> _Prepared:
    docker = find_docker() if arguments.docker else None
    said = None if arguments.upstream is None else ask_upstream(arguments.upstream)
    weights, own = None, None
    if docker is None and said is None:
        asked = {**environment, **_given(arguments.env)}
        if arguments.stand_in is not None:
            # A download can take a long time, so problems of the configurations and of the port are reported before it.
            small = stand_in.own_template(small_weights())
            plan_runs(arguments, environment=environment, resolve=chat_templates(small, environment, say))
            check_port(arguments.port)
        weights = choose_weights(arguments.stand_in, asked, say)
        own = stand_in.own_template(weights)
    runs = plan_runs(arguments, environment=environment, resolve=chat_templates(own, environment, say))
    return _Prepared(
        runs=runs,
        port=hold_port(arguments.port),
        docker=docker,
        weights=weights,
        own=own,
        running=[] if arguments.upstream is None or said is None else running_upstreams(arguments.upstream, said, runs),
    )


async def _serve(
    arguments: Arguments,
    environment: Mapping[str, str],
    prepared: _Prepared,
    out: TextIO,
    say: Callable[[str], None],
) -> None:
    runs, weights, upstreams = prepared.runs, prepared.weights, prepared.running
    port = int(prepared.port.getsockname()[1])
    let_others_bind(prepared.port)
    key = make_key() if arguments.auth else None
    shared = _for_children(environment)
    with prepared.port, tempfile.TemporaryDirectory(prefix="servestack-") as folder:
        registry, lines = Path(folder) / "registry.json", Path(folder) / "requests.jsonl"
        async with Processes(say) as processes:
            say(f"Starting {', '.join(run.plan.run for run in runs)} …")
            if prepared.docker is not None:
                upstreams = await start_containers(processes, prepared.docker, runs, shared)
            elif weights is not None:
                upstreams = await start_stand_ins(processes, runs, weights, shared)
                weights.remember()
            keys = [] if key is None else [key_record(key, dict(arguments.limits))]
            write_registry(registry, _registry(runs, upstreams, keys, own=prepared.own))
            gateway = {
                "GATEWAY_REGISTRY": f"file:{registry}",
                "GATEWAY_DOMAIN": "localhost",
                "GATEWAY_GRACE": str(GATEWAY_GRACE),
                "GATEWAY_LOG_REQUESTS": "1",
                "GATEWAY_REQUEST_LINES": str(lines),
                "HOST": "127.0.0.1",
                "PORT": str(port),
            }
            command = [sys.executable, "-m", "local.child", "gateway_lambda"]
            await processes.start("gateway", command, environment={**shared, **gateway})
            address = f"http://127.0.0.1:{port}"
            await processes.until_serving("gateway", address, "/healthz", lambda status: status == 200)
            prepared.port.close()
            served = _served(runs, upstreams)
            write_served(Path(folder), served, gateway=address, request_lines=lines)
            columns = shutil.get_terminal_size().columns if out.isatty() else None
            notes = () if weights is None else weights.notes
            say(f"\n{banner(served, port=port, key=key, columns=columns, notes=notes)}")
            await processes.until_ended()


def _for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without another gateway's settings, and with this project on Python's path."""
    kept = {name: value for name, value in environment.items() if not name.startswith("GATEWAY_")}
    path = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}


def _registry(
    runs: Sequence[PlannedRun], upstreams: Sequence[Upstream], keys: list[Key], *, own: ChatTemplate | None
) -> Registry:
    services: list[Service] = []
    created = int(time.time())
    for run, upstream in zip(runs, upstreams, strict=True):
        record = service_record(run.plan, url=upstream.url)
        model = record.model
        if model is not None:
            model = msgspec.structs.replace(model, created=created)
            model = _as_served(model, own, upstream)
        services.append(msgspec.structs.replace(record, auth=bool(keys), model=model))
    return Registry(keys=keys, services=services)


def _as_served(model: Model, own: ChatTemplate | None, upstream: Upstream) -> Model:
    if own is None or upstream.service is None:
        return model
    return stand_in.as_served(model, own, upstream.service)


def _given(variables: Sequence[str]) -> dict[str, str]:
    """Return the variables of `--env NAME=value`."""
    return dict(given.split("=", 1) for given in variables if "=" in given)


def _served(runs: Sequence[PlannedRun], upstreams: Sequence[Upstream]) -> list[Run]:
    return [
        Run(configuration=run.configuration, plan=run.plan, server=upstream.server, speaks=upstream.speaks)
        for run, upstream in zip(runs, upstreams, strict=True)
    ]
