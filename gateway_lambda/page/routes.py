"""What the gateway answers to browsers: the page itself, and `GET /runs`, the list that it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from gateway_lambda.page.document import document, prefers_page
from gateway_lambda.page.states import State, States
from gateway_lambda.registry.record import Model, Service
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing.keys import known_key, may_use
from gateway_lambda.routing.recent_use import RecentUse
from gateway_lambda.server.exchange import Exchange

ShowModel = Callable[[Service, Model], dict[str, Any]]
"""Returns a model as `GET /models` shows it."""
_COPIED = ("context_length", "capabilities")


class PageRoutes:
    """Answers requests for the page. `domain`: that of the gateway, or empty."""

    def __init__(
        self,
        registry: RegistrySource,
        recent: RecentUse | None,
        states: States,
        domain: str,
        show_model: ShowModel,
    ) -> None:
        self._registry = registry
        self._recent = recent
        self._states = states
        self._domain = domain
        self._show_model = show_model

    async def page(self, exchange: Exchange, accept: bytes) -> bool:
        """Answer with the page, if the caller prefers HTML. Return whether that is so."""
        if not prefers_page(accept):
            return False
        body, tag, headers = document()
        if tag in (exchange.header(b"if-none-match") or b""):
            await exchange.start(304, list(headers))
            await exchange.finish()
        else:
            await exchange.respond(200, headers, body)
        return True

    async def runs(self, exchange: Exchange) -> None:
        """Answer with the runs that the caller can use, and with their states."""
        table = await self._registry.table()
        key = await known_key(exchange.authorization, self._registry, table)
        if key is None:
            status = "unknown" if exchange.authorization else "none"
        else:
            table, status = await self._registry.table(), "known"
            exchange.key = key.name
        usable = [service for service in table.services if may_use(key, service)]
        self._states.keep(table)
        states = await asyncio.gather(*(self._states.of(service, table) for service in usable))
        base, name = _address(exchange), self._gateway_name(exchange)
        shown = [self._shown(service, table, state, base, name) for service, state in zip(usable, states, strict=True)]
        shown.sort(key=lambda each: (each.get("model") is None, each["run"]))
        found = {"object": "list", "data": shown, "api_key": status, "needs_api_key": table.any_closed}
        await exchange.respond_json(msgspec.json.encode(found), ((b"cache-control", b"no-store"),))

    def _shown(self, service: Service, table: Table, state: State, base: str, name: str) -> dict[str, Any]:
        address = f"{base}/services/{service.run}"
        if name:
            # Only the name of the host differs, by its first label.
            address = base.replace(f"//{name}.", f"//{service.run}.", 1)
        shown: dict[str, Any] = {"run": service.run, "url": address, "auth": service.auth, "state": state.name}
        shown.update(_said(state))
        if self._recent is not None:
            shown["requests_per_second"], shown["tokens_per_second"] = self._recent.rates(service.run)
        if state.count is not None:
            shown["replicas"] = {"count": state.count, "ready": state.ready}
        shown["min_replicas"] = service.min_replicas
        shown.update(_where(service, state))
        model = service.model
        if model is not None and service in table.model(model.name):
            more = self._show_model(service, model)
            shown["model"] = model.name
            shown["format"] = model.format
            if not model.generates:
                shown["generates"] = False
            shown.update((field, more[field]) for field in _COPIED if field in more)
            if state.total_tokens is not None:
                shown.setdefault("context_length", state.total_tokens)
            if state.served is not None:
                shown["served_model"] = state.served
        return shown

    def _gateway_name(self, exchange: Exchange) -> str:
        """The first label of the Host, where runs have names beside it; else empty."""
        host = exchange.hosts[0].decode("latin-1") if exchange.hosts else ""
        label, _, rest = host.partition(".")
        there = self._domain and rest.partition(":")[0].lower() == self._domain
        return label if there and label.lower() == "gateway" else ""


def _said(state: State) -> dict[str, Any]:
    """What is known of a start or a failure, and what the run did lately."""
    said, found = state.report, dict[str, Any]()
    if state.name == "starting":
        found |= {"step": said.step, "percent": said.percent}
    if state.name in ("starting", "failing"):
        found["problem"] = said.problem
    found |= {"requests_per_second": said.requests_per_second, "tokens_per_second": said.tokens_per_second}
    return _known(found)


def _where(service: Service, state: State) -> dict[str, Any]:
    """What a replica runs on, and its price."""
    if not service.instance_types:
        return {"same_machine": True} if state.same_machine else {}
    types, price = service.instance_types, service.hourly_price
    return _known({"instance_types": types, "hourly_price": price, "spot": service.spot})


def _known(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _address(exchange: Exchange) -> str:
    """The gateway's address as the caller wrote it."""
    if not exchange.hosts:
        return ""
    scheme = "https" if exchange.header(b"x-forwarded-proto") == b"https" else exchange.scope["scheme"]
    return f"{scheme}://{exchange.hosts[0].decode('latin-1')}{exchange.scope.get('root_path', '')}"
