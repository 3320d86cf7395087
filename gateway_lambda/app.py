"""The ASGI application: from a request to whoever answers it."""

from __future__ import annotations

import asyncio
import logging
import time

from gateway_lambda.errors import GatewayError, ServiceError, run_not_found
from gateway_lambda.interface import Interface
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing.demand_metric import Wanted
from gateway_lambda.routing.hosts import place
from gateway_lambda.routing.keys import Admission
from gateway_lambda.routing.proxy import pass_on
from gateway_lambda.routing.runs import Runs
from gateway_lambda.server.cross_origin import AllowedOrigins
from gateway_lambda.server.deadline import SECONDS
from gateway_lambda.server.exchange import ClientLeft, Exchange, Message, Receive, Send
from gateway_lambda.settings import Settings
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
        self._runs = Runs(self._upstream, Wanted(settings.registry))
        self._admission = Admission(registry)
        self._origins = AllowedOrigins(settings.allowed_origins)
        self._interface = Interface(settings, registry, self._admission, self._runs, self._upstream)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003, "reason": "WebSockets are not supported"})

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        self._runs.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, exchange: Exchange) -> None:
        since = time.monotonic() if self._settings.log_requests else None
        seconds = exchange.scope.get(SECONDS)
        if seconds is not None:
            exchange.end_within(seconds)
        if exchange.origin is not None:
            self._origins.open(exchange, exchange.origin)
        try:
            await self._answer(exchange)
        except GatewayError as error:
            if not exchange.started:
                await exchange.respond_error(error)
        except ClientLeft:
            return
        except asyncio.CancelledError:
            exchange.stay()
            if not exchange.client_left and not exchange.started:
                await exchange.respond_error(exchange.last_words)
        except Exception:
            _LOG.exception("request %s failed", exchange.request_id.decode())
            if not exchange.started:
                await exchange.respond_error(
                    ServiceError(
                        500,
                        "the gateway failed; try again, or report the x-request-id of this answer",
                        "internal_error",
                    )
                )
        finally:
            exchange.close()
            if since is not None:
                from gateway_lambda.server.request_log import log_request

                log_request(exchange, since)

    async def _answer(self, exchange: Exchange) -> None:
        run, path, prefix = place(exchange.hosts, exchange.path, self._settings.domain)
        if exchange.preflight and not await self._has_own_preflights(run):
            await exchange.respond(200, (), b"")
        elif run is None:
            await self._interface.answer(exchange, path)
        else:
            await self._pass_on(exchange, run, path, prefix)

    async def _pass_on(self, exchange: Exchange, run: str, path: bytes, prefix: bytes) -> None:
        service, table = await self._admission.admitted(
            exchange, await self._registry.table(), Table.runs, run, run_not_found
        )
        patience = self._settings.plain_timeout
        await pass_on(exchange, self._runs.of(service, table), path, prefix, self._upstream, patience)

    async def _has_own_preflights(self, run: str | None) -> bool:
        """Whether a preflight goes to the run's own service.

        It carries no key, so a run that needs one cannot get it, nor can a run that does not exist. Servers of models
        answer preflights, but do not allow the headers that their clients send.
        """
        service = None if run is None else (await self._registry.table()).run(run)
        return service is not None and not service.auth and service.model is None
