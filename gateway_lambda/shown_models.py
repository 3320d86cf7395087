"""What `GET /models` shows of a model: what its record and its replicas say, and the runs that share its name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gateway_lambda.openai.models import model_object
from gateway_lambda.registry.record import Model, Service
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing.runs import Runs
from gateway_lambda.upstream.client import Upstream

if TYPE_CHECKING:
    from gateway_lambda.page.states import States


class ShownModels:
    """Shows models. `owned_by`: as OpenAI's field of that name."""

    def __init__(self, owned_by: str, registry: RegistrySource, runs: Runs, upstream: Upstream) -> None:
        self._owned_by = owned_by
        self._registry = registry
        self._runs = runs
        self._upstream = upstream
        self._states: States | None = None

    async def shown(self, services: Sequence[Service], table: Table) -> dict[str, Any]:
        """Return a model as the first of its services has it. `services`: those that the caller may use, at least one.

        Several are asked whether they can answer, at most once in 5 s. That wakes no run.
        """
        first = services[0]
        shown = self.one(first, first.model) if first.model else {}
        if len(services) > 1:
            states = await asyncio.gather(*(self.states.of(service, table) for service in services))
            shown["runs"] = [
                {"run": service.run, "weight": service.weight or 1, "state": state.name}
                for service, state in zip(services, states, strict=True)
            ]
        return shown

    def one(self, service: Service, model: Model) -> dict[str, Any]:
        """Return a model of one service. Nobody is asked."""
        return model_object(model, self._owned_by, self._runs.total_tokens(service))

    @property
    def states(self) -> States:
        """Who asks runs whether they can answer."""
        if self._states is None:
            # Imported here: a function that starts for a request has no time for what few requests need.
            from gateway_lambda.page.states import States

            self._states = States(self._registry, self._runs, self._upstream)
        return self._states
