"""Whether runs can answer now. Their replicas are asked a question that costs them nothing, and that wakes no run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway_lambda.errors import GatewayError
from gateway_lambda.registry.record import Service
from gateway_lambda.registry.table import Table
from gateway_lambda.routing.runs import Run, Runs
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.health import FAILING
from gateway_lambda.upstream.replica import Replica

_PATIENCE = 3.0
"""Seconds for the answer of a replica."""
_KEPT = 5.0
"""Seconds for which a state counts. Callers together make a replica answer one question in this time."""
_BALANCER = b"awselb/"

StateName = Literal["ready", "asleep", "down", "failing", "unknown"]


class State(msgspec.Struct, frozen=True):
    """What is known of a run.

    `ready`: a replica answers. `asleep`: the load balancer has no replica, and the run may be without one. `down`: no
    replica can be reached. `failing`: what can be reached fails. `unknown`: nothing can be asked.
    """

    name: StateName
    ready: int | None = None
    """How many replicas answer; `None` behind a load balancer, which does not say."""
    count: int | None = None
    served: str | None = None
    """The model that a replica says it serves, if that has another name."""
    total_tokens: int | None = None
    """How long prompt and answer can be together, as a server of OpenAI's API says in its list of models."""


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

    def __init__(self, runs: Runs, upstream: Upstream) -> None:
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
        # A caller who leaves does not take the answer from the others.
        return await asyncio.shield(known[2])

    def keep(self, table: Table) -> None:
        """Forget the runs that `table` does not have."""
        self._asked = {name: asked for name, asked in self._asked.items() if table.run(name) is not None}

    async def _look(self, run: Run) -> State:
        looks = await asyncio.gather(*(self._look_at(run, replica) for replica in run.replicas))
        if run.generator is not None and run.generator.total_tokens is None and any(n == "ready" for n, _ in looks):
            with contextlib.suppress(GatewayError):
                await run.generator.ask_capabilities()
        return _state(run.service, looks)

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
        failing = reply.status in FAILING or replica.health.aside_until
        return "failing" if failing else "ready", _read(said)

    async def _reached(self, run: Run, replica: Replica) -> StateName:
        """A run without a model has no question. A load balancer takes connections for every run."""
        if run.service.url is None:
            return "unknown"
        try:
            (await replica.new_connection(_PATIENCE)).end()
        except (OSError, TimeoutError):
            return "down"
        return "ready"


def _state(service: Service, looks: Sequence[_Look]) -> State:
    found: list[StateName] = [name for name, _ in looks]
    name: StateName = min(found, key=_ORDER.index) if found else "down"
    behind = service.url is None
    said = next((said for each, said in looks if each == name), _Said())
    wanted = None if service.model is None else service.model.name
    names = [said.model_id] if said.model_id else [each.id for each in said.data]
    return State(
        name,
        ready=None if behind else found.count("ready"),
        count=None if behind else len(found),
        served=names[0] if names and wanted not in names else None,
        total_tokens=next((each.max_model_len for each in said.data if each.id == wanted), None),
    )


def _read(body: bytes) -> _Said:
    try:
        return msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Said()
