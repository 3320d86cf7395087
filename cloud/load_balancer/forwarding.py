"""What happens to one request: its rule, its target, and the answer on its way back, piece by piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

import aiohttp
from aiohttp import web
from yarl import URL

from cloud.load_balancer import headers
from cloud.load_balancer.configuration import PORT, FixedResponse, LoadBalancer
from cloud.load_balancer.counting import Minute, of_balancer, of_targets
from cloud.load_balancer.rules import action_for, group_of
from cloud.load_balancer.targets import Pool, Target

CONNECT_TIMEOUT = 10
"""Seconds to open a connection to a target (user guide: HTTP 504)."""
_NAMES = {
    400: "400 Bad Request",
    408: "408 Request Time-out",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


class Proxy:
    """Answers the requests of one load balancer."""

    def __init__(self, session: aiohttp.ClientSession, pools: Mapping[str, Pool], minute: Minute) -> None:
        self._session = session
        self._pools = pools
        self.minute = minute
        self.balancer: LoadBalancer | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Return the answer, of which nothing may be left to send."""
        balancer = self.balancer
        if balancer is None or "Host" not in request.headers:
            return self._own(400)
        path = request.raw_path.partition("?")[0]
        action = action_for(balancer.rules, request.method, path, request.headers)
        if action is None:
            return self._own(503)
        if isinstance(action, FixedResponse):
            self.minute.add("HTTP_Fixed_Response_Count", of_balancer(balancer.suffix))
            own = {"Content-Type": action.content_type, "Server": "awselb/2.0"}
            return web.Response(status=action.status, body=action.body.encode(), headers=own)
        pool = self._pools.get(group_of(action))
        target = pool.choose() if pool is not None else None
        if pool is None or target is None or target.address is None:
            return self._own(503)
        return await self._forward(request, balancer, pool, target)

    async def _forward(
        self, request: web.Request, balancer: LoadBalancer, pool: Pool, target: Target
    ) -> web.StreamResponse:
        both = of_balancer(balancer.suffix), of_targets(balancer.suffix, pool.suffix)
        self.minute.add("RequestCount", *both)
        self.minute.requests[pool.group.arn] += 1
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("requests are answered in a task")
        body = _Body(request, balancer.idle_timeout)
        sent = headers.to_target(
            request.headers.items(),
            client=request.remote or "",
            port=PORT,
            drop_invalid=balancer.drop_invalid_headers,
        )
        begun = time.monotonic()
        with target.request(task):
            try:
                answer = await self._session.request(
                    request.method,
                    URL(f"http://{target.address}:{target.port}{request.raw_path}", encoded=True),
                    headers=sent,
                    data=body.pieces() if request.can_read_body else None,
                    allow_redirects=False,
                    timeout=_timeout(balancer.idle_timeout),
                )
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return self._failed(error, body, both)
            self.minute.value("TargetResponseTime", time.monotonic() - begun, *both)
            self.minute.add(f"HTTPCode_Target_{answer.status // 100}XX_Count", *both)
            return await self._pass_back(request, answer)

    def _failed(
        self, error: Exception, body: _Body, both: tuple[tuple[tuple[str, str], ...], ...]
    ) -> web.StreamResponse:
        """A target that refuses or breaks off is 502, a silent one 504, a silent client 408 (user guide: Troubleshoot
        your Application Load Balancers)."""
        if body.silent:
            return self._own(408)
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            self.minute.add("TargetConnectionErrorCount", *both)
        return self._own(504 if isinstance(error, TimeoutError) else 502)

    async def _pass_back(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        passed = headers.to_client(answer.headers.items())
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
        request[RECEIVED] = frozenset(name.lower() for name in passed)
        try:
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The head is sent, so only the end of the connection can show that the rest is missing.
            if request.transport is not None:
                request.transport.close()
        finally:
            if not answer.content.at_eof():
                answer.close()
        return response

    def _own(self, status: int) -> web.StreamResponse:
        """Return an answer of the load balancer itself, with AWS's text."""
        title = _NAMES[status]
        heading = f"<center><h1>{title}</h1></center>"
        page = "\r\n".join(
            ("<html>", f"<head><title>{title}</title></head>", "<body>", heading, "</body>", "</html>", "")
        )
        if self.balancer is not None:
            of = of_balancer(self.balancer.suffix)
            self.minute.add(f"HTTPCode_ELB_{status // 100}XX_Count", of)
            if status >= 500:
                self.minute.add(f"HTTPCode_ELB_{status}_Count", of)
        response = web.Response(
            status=status,
            reason=title.partition(" ")[2],
            text=page,
            headers={"Server": "awselb/2.0", "Content-Type": "text/html"},
        )
        if status in (400, 408):
            response.force_close()
        return response


RECEIVED: web.RequestKey[frozenset[str]] = web.RequestKey("received", frozenset)
"""Where a request keeps the names of the headers that its target sent."""


async def only_what_was_sent(request: web.Request, response: web.StreamResponse) -> None:
    """Remove the headers that aiohttp adds to a target's answer."""
    received = request.get(RECEIVED)
    if received is not None:
        for name in ("Server", "Date", "Content-Type"):
            if name.lower() not in received:
                response.headers.popall(name, None)


class _Body:
    """The body of a request while it is passed on."""

    def __init__(self, request: web.Request, idle_timeout: float) -> None:
        self._request = request
        self._idle_timeout = idle_timeout
        self.silent = False
        """Whether the client stopped sending."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what arrives, as it arrives."""
        while True:
            try:
                async with asyncio.timeout(self._idle_timeout):
                    piece = await self._request.content.readany()
            except TimeoutError:
                self.silent = True
                raise ConnectionError("the client sends nothing more") from None
            if not piece:
                return
            yield piece


def _timeout(idle: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=idle)
