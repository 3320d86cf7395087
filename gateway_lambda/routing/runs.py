"""What the gateway keeps in memory for each run: its replicas, and its prepared model."""

from __future__ import annotations

from gateway_lambda.errors import Header
from gateway_lambda.generation.stops import Stops
from gateway_lambda.registry.record import Model, Service
from gateway_lambda.registry.table import Table
from gateway_lambda.routing.demand_metric import Wanted
from gateway_lambda.routing.rate_limits import Rates
from gateway_lambda.templates import ChatTemplate
from gateway_lambda.tgi.info import Known
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica


class ReadyModel:
    """A model of format tgi with what its requests need."""

    __slots__ = ("_template", "ends", "record", "stop_strings", "stops")

    def __init__(self, record: Model) -> None:
        eos = [record.eos_token] if record.eos_token else []
        self.record = record
        self.stop_strings = eos if record.stop_strings is None else record.stop_strings
        self.ends = (*self.stop_strings, *eos)
        """Control tokens that end an answer."""
        self.stops = Stops(self.stop_strings, self.ends)
        """For requests without stops of their own."""
        self._template: ChatTemplate | None = None

    @property
    def template(self) -> ChatTemplate:
        """Compiled at the first request. Raises `TemplateInvalid`."""
        if self._template is None:
            self._template = ChatTemplate(self.record)
        return self._template

    def stops_with(self, strings: list[str]) -> Stops:
        """The client's stops and the model's own."""
        return Stops((*strings, *self.stop_strings), self.ends) if strings else self.stops


class Run:
    """A service of the registry while it is being served."""

    __slots__ = ("known", "model", "rates", "replicas", "service", "upstream_key")

    def __init__(self, service: Service, replicas: list[Replica]) -> None:
        self.service = service
        self.replicas = replicas
        self.known = {replica: Known() for replica in replicas}
        self.model = ReadyModel(service.model) if service.model and service.model.format == "tgi" else None
        """Of format tgi alone; other models make ready what they need themselves."""
        self.rates = Rates(service.rate_limits)
        self.upstream_key: list[Header] = []
        """The header with the upstream's own key, where it has one."""
        if service.model and service.model.upstream_api_key:
            self.upstream_key = [(b"authorization", b"Bearer " + service.model.upstream_api_key.strip().encode())]
        if service.model:
            for replica in replicas:
                replica.question = (_question(service.model), self.upstream_key)


def _question(model: Model) -> bytes:
    """What a server of that format answers at once, whatever it is generating."""
    return b"/info" if model.format == "tgi" else model.prefix.rstrip("/").encode() + b"/models"


class Runs:
    """The runs in use; each is made at its first request and dropped when its record changes."""

    def __init__(self, upstream: Upstream, wanted: Wanted) -> None:
        self._upstream = upstream
        self._wanted = wanted
        self._table: Table | None = None
        self._runs: dict[str, Run] = {}

    def close(self) -> None:
        """End all connections."""
        for run in self._runs.values():
            for replica in run.replicas:
                replica.close()

    def of(self, service: Service, table: Table) -> Run:
        """The run of a service that `table` holds, for a request to it."""
        self._wanted.note(service)
        if table is not self._table:
            self._runs = {name: run for name, run in self._runs.items() if table.run(name) is run.service}
            self._table = table
        run = self._runs.get(service.run)
        if run is None:
            run = self._runs[service.run] = Run(service, self._upstream.replicas(service))
        return run

    def total_tokens(self, service: Service) -> int | None:
        """How long prompt and answer can be together, as far as a replica of the service has said; nobody is asked."""
        run = self._runs.get(service.run)
        facts = [known.facts for known in run.known.values()] if run is not None and run.service is service else []
        return next((each.max_total_tokens for each in facts if each and each.max_total_tokens is not None), None)
