"""What the gateway keeps in memory for each run: its replicas, their limits, and what makes its answers."""

from __future__ import annotations

from collections.abc import Callable

from gateway_lambda.errors import Header
from gateway_lambda.generation.generator import Generator
from gateway_lambda.registry.counters import Counters
from gateway_lambda.registry.record import Model, Service
from gateway_lambda.registry.table import Table
from gateway_lambda.routing.demand_metric import DemandMetric
from gateway_lambda.routing.rate_limits import RateLimits
from gateway_lambda.routing.recent_use import RecentUse
from gateway_lambda.upstream.replica import Replica, replicas_at

MakeGenerator = Callable[[Model, list[Replica], list[Header]], Generator]
"""Makes the generator of a model of format tgi, from its replicas and the header with their key."""


class Run:
    """A service of the registry while it is being served."""

    __slots__ = ("generator", "prefix", "rates", "replicas", "service", "shared", "upstream_key")

    def __init__(
        self,
        service: Service,
        replicas: list[Replica],
        make_generator: MakeGenerator,
        counters: Counters,
        *,
        shared: bool = False,
    ) -> None:
        self.service = service
        self.replicas = replicas
        self.shared = shared
        """Other runs have its model name too."""
        limits = service.rate_limits
        self.rates = RateLimits(service.run, limits, counters) if limits else None
        self.prefix = b""
        """The path of the model's own API."""
        self.upstream_key: list[Header] = []
        """The header with the upstream's own key, where it has one."""
        self.generator: Generator | None = None
        """Of a model of format tgi alone; other models generate behind their own API."""
        model = service.model
        if model is None:
            return
        self.prefix = model.prefix.rstrip("/").encode()
        if model.upstream_api_key:
            self.upstream_key = [(b"authorization", b"Bearer " + model.upstream_api_key.strip().encode())]
        if model.format == "tgi":
            self.generator = make_generator(model, replicas, self.upstream_key)
        else:
            for replica in replicas:
                replica.question = (self.prefix + b"/models", self.upstream_key)


class Runs:
    """The runs in use; each is made at its first request and dropped when its record changes.

    `upstream`: the base URL of runs whose record has none; it can be empty. `recent`: what they did lately, if this
    process sees all their requests.
    """

    def __init__(
        self,
        upstream: str,
        make_generator: MakeGenerator,
        demand: DemandMetric,
        counters: Counters,
        recent: RecentUse | None = None,
    ) -> None:
        self.recent = recent
        self._upstream = [upstream] if upstream else []
        self._make_generator = make_generator
        self._demand = demand
        self._counters = counters
        self._table: Table | None = None
        self._runs: dict[str, Run] = {}

    def close(self) -> None:
        """End all connections."""
        for run in self._runs.values():
            for replica in run.replicas:
                replica.close()

    def of(self, service: Service, table: Table, *, demand: bool = True) -> Run:
        """The run of a service that `table` holds, for a request to it. Without `demand`, it wakes no run."""
        if demand and service.min_replicas == 0:
            self._demand.note(service)
        if table is not self._table:
            self._runs = {
                name: run
                for name, run in self._runs.items()
                if table.run(name) is run.service and run.shared == _is_shared(run.service, table)
            }
            self._table = table
        run = self._runs.get(service.run)
        if run is None:
            run = self._runs[service.run] = self._make(service, shared=_is_shared(service, table))
        return run

    def wake(self, run: Run) -> None:
        """Start the first replica of a run that can be without one."""
        self._demand.note(run.service)

    def total_tokens(self, service: Service) -> int | None:
        """How long prompt and answer can be together, as far as a replica of the service has said; nobody is asked."""
        run = self._runs.get(service.run)
        generator = run.generator if run is not None and run.service is service else None
        return None if generator is None else generator.total_tokens

    def _make(self, service: Service, *, shared: bool) -> Run:
        bases = self._upstream if service.url is None else service.url
        replicas = replicas_at([bases] if isinstance(bases, str) else bases, service.host, shared=shared)
        return Run(service, replicas, self._make_generator, self._counters, shared=shared)


def _is_shared(service: Service, table: Table) -> bool:
    """Whether other runs can have its requests."""
    owners = () if service.model is None else table.model(service.model.name)
    return len(owners) > 1 and service in owners
