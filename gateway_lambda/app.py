"""The ASGI application: from a request to whoever answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gateway_lambda.auth import admit, known_key, may_use, refusal
from gateway_lambda.errors import (
    GatewayError,
    RequestError,
    ServiceError,
    invalid_type,
    model_not_found,
    not_found,
)
from gateway_lambda.exchange import ClientLeft, Exchange, Message, Receive, Send, not_allowed
from gateway_lambda.openai.chat import chat_completions
from gateway_lambda.openai.completions import completions
from gateway_lambda.openai.fields import mapping
from gateway_lambda.openai.models import model_list, model_name, model_object
from gateway_lambda.proxy import pass_on
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing import place
from gateway_lambda.runs import ReadyModel, Run, Runs
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.client import TgiClient
from gateway_lambda.upstream.client import Upstream

_LOG = logging.getLogger(__name__)


def make_app(settings: Settings, registry: RegistrySource) -> Gateway:
    """The gateway over a registry. Connections are made at the first request and closed by the lifespan's end."""
    return Gateway(settings, registry)


class Gateway:
    """An ASGI application."""

    def __init__(self, settings: Settings, registry: RegistrySource) -> None:
        self._settings = settings
        self._registry = registry
        self._upstream = Upstream(settings)
        self._runs = Runs(self._upstream)
        self._tgi = TgiClient(self._upstream, settings)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003, "reason": "WebSockets are not supported"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                self._runs.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, exchange: Exchange) -> None:
        try:
            await self._answer(exchange)
        except GatewayError as error:
            if exchange.started:
                return
            await exchange.respond_error(error)
        except ClientLeft:
            return
        except asyncio.CancelledError:
            if not exchange.client_left:
                raise
            exchange.stay()
        except Exception:
            _LOG.exception("request %s failed", exchange.request_id.decode())
            if not exchange.started:
                await exchange.respond_error(ServiceError(500, "the gateway failed", "internal_error"))
        finally:
            exchange.close()

    async def _answer(self, exchange: Exchange) -> None:
        run, path, prefix = place(exchange.hosts, exchange.path, self._settings.domain)
        if run is None:
            await self._interface(exchange, path)
            return
        table = await self._registry.table()
        service = table.run(run)
        if service is None:
            table = await self._registry.refreshed()
            service = table.run(run)
        if service is None:
            raise not_found(f"there is no run {run[:80]!r} here")
        await admit(service, exchange.authorization, self._registry, table)
        await pass_on(exchange, self._runs.of(service, table), path, prefix, self._upstream)

    async def _interface(self, exchange: Exchange, path: bytes) -> None:
        if path.startswith(b"/v1/"):
            path = path[3:]
        answer = _ANSWERS.get(path)
        if answer is not None:
            _allow(exchange, b"POST")
            await self._generate(exchange, answer)
        elif path == b"/models" or path.startswith(b"/models/"):
            _allow(exchange, b"GET", b"HEAD")
            await self._models(exchange, path[8:])
        elif path == b"/healthz":
            _allow(exchange, b"GET", b"HEAD")
            await exchange.respond_json(b'{"status":"ok"}')
        else:
            raise not_found(f"there is no route {exchange.path[:200].decode('latin-1')!r} here")

    async def _generate(self, exchange: Exchange, answer: _Answer) -> None:
        table = await self._registry.table()
        body = _decode_object(await exchange.body(self._settings.max_body_bytes))
        run = await self._run_for(exchange, body.get("model"), table)
        if run.model is None:
            raise model_not_found("")
        await answer(exchange, body, run, run.model, self._tgi, self._settings)

    async def _run_for(self, exchange: Exchange, name: object, table: Table) -> Run:
        """The run that serves the model which a request names, for a caller who may use it."""
        if type(name) is not str:
            raise invalid_type("model", name, "the name of a model, a string")
        services = table.model(name)
        if not services:
            table = await self._registry.refreshed()
            services = table.model(name)
        if not services:
            await self._authenticate_if_closed(exchange, table)
            raise model_not_found(name)
        key = None
        if services[0].auth:
            key = await known_key(exchange.authorization, self._registry, table)
        usable = next((service for service in services if may_use(key, service)), services[0])
        await admit(usable, exchange.authorization, self._registry, table)
        return self._runs.of(usable, table)

    async def _authenticate_if_closed(self, exchange: Exchange, table: Table) -> None:
        """Where nothing is open, a caller without a key learns nothing, not even what there is not."""
        if table.services and table.all_closed and not await known_key(exchange.authorization, self._registry, table):
            raise refusal(exchange.authorization)

    async def _models(self, exchange: Exchange, path: bytes) -> None:
        table = await self._registry.table()
        if path:
            run = await self._run_for(exchange, model_name(path), table)
            found: Any = run.service.model and model_object(run.service.model, self._settings.owned_by)
            await exchange.respond_json(msgspec.json.encode(found))
            return
        await self._authenticate_if_closed(exchange, table)
        key = await known_key(exchange.authorization, self._registry, table)
        shown = [service.model for service in table.models() if service.model and may_use(key, service)]
        await exchange.respond_json(model_list(shown, self._settings.owned_by))


_Answer = Callable[[Exchange, dict[str, Any], Run, ReadyModel, TgiClient, Settings], Awaitable[None]]
_ANSWERS: dict[bytes, _Answer] = {b"/chat/completions": chat_completions, b"/completions": completions}


def _allow(exchange: Exchange, *methods: bytes) -> None:
    if exchange.method.encode() not in methods:
        raise not_allowed(exchange.method, b", ".join(methods))


def _decode_object(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise RequestError(f"the body is no JSON: {problem}", "invalid_json") from None
    return mapping(found, "body")
