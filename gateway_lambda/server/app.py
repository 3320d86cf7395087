"""The ASGI application: from the messages of ASGI to an exchange, and from what goes wrong to an error.

Who answers is handed in, so that the server knows no run and no dialect.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gateway_lambda.allowed_origins import AllowedOrigins
from gateway_lambda.errors import GatewayError, ServiceError
from gateway_lambda.server.cross_origin import open_to
from gateway_lambda.server.deadline import SECONDS
from gateway_lambda.server.exchange import ClientLeft, Exchange, Message, Receive, Send
from gateway_lambda.settings import Settings

_LOG = logging.getLogger(__name__)


class App:
    """An ASGI application.

    `answer` answers one exchange, and raises `GatewayError` as long as nothing was sent. `close` is called at the end
    of the lifespan.
    """

    def __init__(
        self, settings: Settings, answer: Callable[[Exchange], Awaitable[None]], close: Callable[[], None]
    ) -> None:
        self._log_requests = settings.log_requests
        self._origins = AllowedOrigins(settings.allowed_origins)
        self._answer = answer
        self._close = close

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003, "reason": "WebSockets are not supported"})
            return
        exchange = Exchange(scope, receive, send)
        since = time.monotonic() if self._log_requests else None
        seconds = scope.get(SECONDS)
        if seconds is not None:
            exchange.end_within(seconds)
        if exchange.origin is not None:
            open_to(exchange.origin, exchange, self._origins)
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
            if exchange.at_end is not None:
                await exchange.end()
            if since is not None:
                from gateway_lambda.server.request_log import log_request

                log_request(exchange, since)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        self._close()
        await send({"type": "lifespan.shutdown.complete"})
