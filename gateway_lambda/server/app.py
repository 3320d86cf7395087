"""The ASGI application: from the messages of ASGI to an exchange, and from what goes wrong to an error.

Who answers is handed in, so that the server knows no run and no dialect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from gateway_lambda.allowed_origins import AllowedOrigins
from gateway_lambda.errors import GatewayError, ServiceError
from gateway_lambda.server.climbing import REFUSED
from gateway_lambda.server.cross_origin import open_to
from gateway_lambda.server.deadline import SECONDS
from gateway_lambda.server.exchange import Exchange, Listener, Send
from gateway_lambda.server.request_body import ClientLeft, Message, Receive
from gateway_lambda.server.waiting import CURRENT
from gateway_lambda.settings import Settings

_LOG = logging.getLogger(__name__)


class App:
    """An ASGI application.

    `answer` answers one exchange, and raises `GatewayError` as long as nothing was sent. `close` is called at the end
    of the lifespan. `listeners` are told of each exchange once, when its answer ends or when it gets none.
    `open_exchanges` has those that are being answered.
    """

    def __init__(
        self,
        settings: Settings,
        answer: Callable[[Exchange], Awaitable[None]],
        close: Callable[[], None],
        listeners: Sequence[Listener] = (),
        open_exchanges: set[Exchange] | None = None,
    ) -> None:
        self._open: set[Exchange] = set() if open_exchanges is None else open_exchanges
        self._listeners = listeners
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
        exchange = Exchange(scope, receive, send, self._listeners)
        CURRENT.set(exchange)
        self._open.add(exchange)
        seconds = scope.get(SECONDS)
        if seconds is not None:
            exchange.end_within(seconds)
        if exchange.origin is not None:
            open_to(exchange.origin, exchange, self._origins)
        try:
            if REFUSED in scope:
                raise scope[REFUSED]
            await self._answer(exchange)
        except GatewayError as error:
            exchange.error = error.code
            if not exchange.started:
                await exchange.respond_error(error)
        except ClientLeft:
            exchange.client_left = True
        except asyncio.CancelledError:
            exchange.stay()
            if not exchange.client_left:
                error = exchange.last_words
                exchange.error = error.code
                if not exchange.started:
                    await exchange.respond_error(error)
        except Exception:
            _LOG.exception("request %s failed", exchange.request_id.decode())
            error = ServiceError(
                500, "the gateway failed; try again, or report the x-request-id of this answer", "internal_error"
            )
            exchange.error = error.code
            if not exchange.started:
                await exchange.respond_error(error)
        finally:
            exchange.close()
            self._open.discard(exchange)
            CURRENT.set(None)  # the task has the context: only the garbage collector would find the circle
            if exchange.listeners:
                await exchange.end()

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        self._close()
        await send({"type": "lifespan.shutdown.complete"})
