"""Whether runs can answer now. Their replicas are asked a question that costs them nothing, and that wakes no run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Literal

import msgspec

from gateway_lambda.errors import GatewayError
from gateway_lambda.page.reports import Report, report
from gateway_lambda.registry.record import Service
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing.runs import Run, Runs
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.health import FAILING
from gateway_lambda.upstream.replica import Replica

_PATIENCE = 3.0
"""Seconds for the answer of a replica."""
_KEPT = 5.0
"""Seconds for which a state counts. Callers together make a replica answer one question in this time."""
_BALANCER = b"awselb/"

StateName = Literal["ready", "starting", "asleep", "down", "failing", "unknown"]


class State(msgspec.Struct, frozen=True):
    """What is known of a run.

    `ready`: a replica answers. `starting`: none does, and one says that it starts. `asleep`: the load balancer has no
    replica, and the run may be without one. `down`: no replica can be reached. `failing`: what can be reached fails, or
    the newest replica says that it has stopped for good. `unknown`: nothing can be asked.
    """

    name: StateName
    report: Report
    """What replicas say of themselves."""
    ready: int | None = None
    """How many replicas answer; behind a load balancer, how many say that they serve. `None`: not known."""
    count: int | None = None
    """How many replicas there are; behind a load balancer, how many say something. `None`: not known."""
    served: str | None = None
    """The model that a replica says it serves, if that has another name."""
    total_tokens: int | None = None
    """How long prompt and answer can be together, as a server of OpenAI's API says in its list of models."""
    same_machine: bool = False
    """Whether the run's server is on the machine of the gateway."""


class _Served(msgspec.Struct):
    id: str
    max_model_len: int | None = None


class _Said(msgspec.Struct):
    """The answer of a replica to its question: of TGI's `/info`, or a list of models."""

    model_id: str | None = None
    data: list[_Served] = []


_Look = tuple[StateName, _Said]
_ORDER: tuple[StateName, ...] = ("ready", "asleep", "failing", "down", "unknown")
"""The state of a run is the first of these that a replica has."""


class States:
    """Asks the replicas of runs, and keeps the answers for a moment."""

    def __init__(self, registry: RegistrySource, runs: Runs, upstream: Upstream) -> None:
        self._registry = registry
        self._runs = runs
        self._upstream = upstream
        self._asked: dict[str, tuple[float, Service, asyncio.Task[State]]] = {}

    async def of(self, service: Service, table: Table) -> State:
        """Return the state of a service that `table` holds."""
        now = asyncio.get_running_loop().time()
        known = self._asked.get(service.run)
        if known is None or known[1] is not service or known[0] <= now:
            run = self._runs.of(service, table, demand=False)
            known = (now + _KEPT, service, asyncio.create_task(self._look(run)))
            self._asked[service.run] = known
        # If one caller leaves, the others still get the answer.
        return await asyncio.shield(known[2])

    def keep(self, table: Table) -> None:
        """Forget the runs that `table` does not have."""
        self._asked = {name: asked for name, asked in self._asked.items() if table.run(name) is not None}

    async def _look(self, run: Run) -> State:
        looks, items = await asyncio.gather(
            asyncio.gather(*(self._look_at(run, replica) for replica in run.replicas)),
            self._registry.state_items(run.service.run),
        )
        if run.generator is not None and run.generator.total_tokens is None and any(n == "ready" for n, _ in looks):
            with contextlib.suppress(GatewayError):
                await run.generator.ask_capabilities()
        return _state(run, looks, report(items, time.time()))

    async def _look_at(self, run: Run, replica: Replica) -> _Look:
        if replica.question is None:
            return await self._reached(run, replica), _Said()
        try:
            async with asyncio.timeout(_PATIENCE):
                reply = await self._upstream.send(replica, b"GET", *replica.question, question=True)
                try:
                    said = await reply.whole()
                finally:
                    reply.close()
        except (GatewayError, TimeoutError):
            return "down", _Said()
        if reply.status == 503:
            empty = (reply.header(b"server") or b"").startswith(_BALANCER) and run.service.min_replicas == 0
            return "asleep" if empty else "down", _Said()
        failing = reply.status in FAILING or reply.status == 401 or replica.health.aside_until
        return "failing" if failing else "ready", _read(said)

    async def _reached(self, run: Run, replica: Replica) -> StateName:
        """Return the state of a run that has no question: whether it takes connections. Behind a load balancer, which
        takes connections for every run, nothing is known."""
        if run.service.url is None:
            return "unknown"
        try:
            (await replica.new_connection(_PATIENCE)).end()
        except (OSError, TimeoutError):
            return "down"
        return "ready"


def _state(run: Run, looks: Sequence[_Look], said: Report) -> State:
    found: list[StateName] = [name for name, _ in looks]
    name: StateName = min(found, key=_ORDER.index) if found else "down"
    answer = next((answer for each, answer in looks if each == name), _Said())
    wanted = None if run.service.model is None else run.service.model.name
    names = [answer.model_id] if answer.model_id else [each.id for each in answer.data]
    behind = run.service.url is None
    return State(
        _corrected(name, said),
        said,
        ready=(said.ready if said.count else None) if behind else found.count("ready"),
        count=(said.count or None) if behind else len(found),
        served=names[0] if names and wanted not in names else None,
        total_tokens=next((each.max_model_len for each in answer.data if each.id == wanted), None),
        same_machine=not behind and all(_is_here(replica) for replica in run.replicas),
    )


def _corrected(name: StateName, said: Report) -> StateName:
    """Return the state of a run, corrected by what its replicas say about themselves."""
    if name == "ready":
        return name
    if name == "unknown" and said.ready:
        return "ready"
    if said.starting:
        return "starting"
    return "failing" if said.failed else name


def _is_here(replica: Replica) -> bool:
    name = replica.address.name.lower().rstrip(".")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _read(body: bytes) -> _Said:
    try:
        return msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Said()
