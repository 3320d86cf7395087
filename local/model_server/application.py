"""What the HTTP servers of all stand-ins share: fixed routes, bodies in JSON, errors, the end of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from local.model_server.errors import Refusal
from local.model_server.http import Exchange, Gone, Receive, Send, ServerEnding
from local.model_server.requests import WrongBody, read_body

T = TypeVar("T")
Handler = Callable[[Exchange], Awaitable[None]]
Routes = Mapping[str, Mapping[str, Handler]]
"""Handlers by path and method. A path that ends with `/*` stands for all paths below it."""


class Application:
    """An ASGI application. `payload_limit`: bytes of a body."""

    def __init__(self, routes: Routes, *, payload_limit: int) -> None:
        self._routes = routes
        self._payload_limit = payload_limit
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Break off all running answers."""
        self._ending.set()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, self._ending)
        try:
            await self._answer(exchange)
        except Gone:
            return
        except ServerEnding:
            await self._refuse(exchange, self.ended())

    def ended(self) -> Refusal:
        """Return the error of requests whose answer the server's end breaks off."""
        raise NotImplementedError

    def unknown(self, path: str) -> Refusal:
        """Return the error of a path that has no route."""
        raise NotImplementedError

    def here(self) -> str:
        """Name the routes, for people."""
        routes = [f"{method} {path}" for path, methods in self._routes.items() for method in methods]
        return f"This server has: {', '.join(routes)}."

    async def read(self, exchange: Exchange, kind: type[T]) -> T:
        """Return the body of a request.

        Raises:
            PlainRefusal: it is not JSON of this kind. The text is that of axum, with which TGI and TEI are written.
        """
        given = exchange.headers.get("content-type", "").split(";")[0].strip().lower()
        if given != "application/json" and not (given.startswith("application/") and given.endswith("+json")):
            raise PlainRefusal(415, "Expected request with `Content-Type: application/json`")
        body = await exchange.body(self._payload_limit)
        if body is None:
            raise PlainRefusal(413, "Failed to buffer the request body: length limit exceeded")
        try:
            return read_body(body, kind)
        except WrongBody as error:
            if error.syntax:
                raise PlainRefusal(400, f"Failed to parse the request body as JSON: {error}") from None
            what = "Failed to deserialize the JSON body into the target type"
            raise PlainRefusal(422, f"{what}: {error}") from None

    async def _answer(self, exchange: Exchange) -> None:
        methods = self._found(exchange.path)
        if methods is None:
            await self._refuse(exchange, self.unknown(exchange.path))
            return
        allowed = ",".join("GET,HEAD" if method == "GET" else method for method in methods)
        if exchange.method == "OPTIONS":
            permitted = {"access-control-allow-methods": "GET,POST", "access-control-allow-headers": "content-type"}
            await exchange.respond(200, headers={**permitted, "allow": allowed})
            return
        handler = methods.get("GET" if exchange.method == "HEAD" else exchange.method)
        if handler is None:
            await exchange.respond(405, headers={"allow": allowed})
            return
        try:
            await handler(exchange)
        except PlainRefusal as refusal:
            await exchange.respond_text(refusal.status, str(refusal))
        except Refusal as refusal:
            await self._refuse(exchange, refusal)

    def _found(self, path: str) -> Mapping[str, Handler] | None:
        if path in self._routes:
            return self._routes[path]
        below = (route for route in self._routes if route.endswith("/*") and path.startswith(route[:-1]))
        return next((self._routes[route] for route in below), None)

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        await exchange.respond_json(refusal.status, refusal.body())


class PlainRefusal(Exception):
    """A refusal whose body is plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
