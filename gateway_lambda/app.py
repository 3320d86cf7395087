"""The gateway: puts server, registry, runs, dialects and model servers together."""

from __future__ import annotations

from functools import partial

from gateway_lambda.errors import run_not_found
from gateway_lambda.interface import Interface
from gateway_lambda.monitoring.line_output import LineOutput, open_output
from gateway_lambda.monitoring.request_line import RequestLines
from gateway_lambda.monitoring.tallies import Tallies
from gateway_lambda.openai.counted_streams import counted_stream
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing.demand_metric import DemandMetric
from gateway_lambda.routing.hosts import place
from gateway_lambda.routing.keys import Admission
from gateway_lambda.routing.proxy import pass_on
from gateway_lambda.routing.recent_use import RecentUse
from gateway_lambda.routing.runs import Runs
from gateway_lambda.routing.shown_routes import OTHER_RUN, RUN_ROUTES
from gateway_lambda.server.app import App
from gateway_lambda.server.exchange import Exchange, Listener
from gateway_lambda.server.recorded import OTHER
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.generator import TgiGenerator
from gateway_lambda.upstream.client import Upstream


def make_app(settings: Settings, registry: RegistrySource) -> App:
    """The gateway over a registry. Connections are made at the first request and closed by the lifespan's end.

    Raises `SettingsError` if the file for request lines cannot be written.
    """
    lines = open_output(settings)
    open_exchanges: set[Exchange] = set()
    # One process of a function sees one request at a time, and no other process can ask it.
    tallies = None if settings.behind == "adapter" else Tallies(open_exchanges)
    gateway = _Gateway(settings, registry, DemandMetric(settings.table, lines), tallies)

    def close() -> None:
        gateway.close()
        if lines is not None:
            lines.close()

    listeners = [*_listeners(settings, lines, tallies), *gateway.listeners]
    return App(settings, gateway.answer, close, listeners, open_exchanges)


def _listeners(settings: Settings, lines: LineOutput | None, tallies: Tallies | None) -> list[Listener]:
    """Who is told of each request that ends."""
    listeners: list[Listener] = []
    if lines is not None:
        listeners.append(RequestLines(settings.table or "local", lines).note)
    if tallies is not None:
        listeners.append(tallies.note)
    if settings.log_requests:
        from gateway_lambda.monitoring.request_log import log_request

        listeners.append(log_request)
    return listeners


class _Gateway:
    """From a request to the run or the interface that answers it."""

    def __init__(
        self, settings: Settings, registry: RegistrySource, demand: DemandMetric, tallies: Tallies | None
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._upstream = Upstream(settings)
        make_generator = partial(TgiGenerator, self._upstream, settings)
        # Several processes share a table, and their replicas write what they do into it.
        recent = None if settings.table else RecentUse()
        self.listeners: list[Listener] = [] if recent is None else [recent.note]
        self._runs = Runs(settings.upstream, make_generator, demand, registry.counters, recent)
        self._admission = Admission(registry)
        self._interface = Interface(settings, registry, self._admission, self._runs, self._upstream, tallies)

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request. Raises `GatewayError` as long as nothing was sent."""
        run, path, prefix = place(exchange.hosts, exchange.path, self._settings.domain)
        if exchange.preflight and not await self._has_own_preflights(run):
            await exchange.respond(200, (), b"")
        elif run is None:
            await self._interface.answer(exchange, path)
        else:
            await self._pass_on(exchange, run, path, prefix)

    def close(self) -> None:
        """End all connections."""
        self._runs.close()
        self._registry.counters.close()

    async def _pass_on(self, exchange: Exchange, run: str, path: bytes, prefix: bytes) -> None:
        exchange.route = OTHER_RUN
        (service,), table = await self._admission.admitted(
            exchange, await self._registry.table(), Table.runs, run, run_not_found
        )
        exchange.route = f"/services/{service.run}{RUN_ROUTES.get(path, OTHER)}"
        patience = self._settings.plain_timeout
        found = self._runs.of(service, table)
        most = self._settings.max_body_bytes
        change = counted_stream(exchange, found, path, most) if exchange.counts_tokens else None
        await pass_on(exchange, found, path, prefix, self._upstream, patience, change)

    async def _has_own_preflights(self, run: str | None) -> bool:
        """Whether a CORS preflight goes to the run's own service.

        It carries no key, so a run that needs one cannot get it, nor can a run that does not exist. Model servers
        answer preflights, but do not allow the headers that their clients send.
        """
        service = None if run is None else (await self._registry.table()).run(run)
        return service is not None and not service.auth and service.model is None
