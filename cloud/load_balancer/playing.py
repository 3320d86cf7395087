"""One load balancer at work: its socket, its pools, its checks and its counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from cloud.load_balancer.checks import keep_checking
from cloud.load_balancer.configuration import LoadBalancer
from cloud.load_balancer.counting import Minute, of_balancer, of_group, of_targets
from cloud.load_balancer.forwarding import Proxy, only_what_was_sent
from cloud.load_balancer.targets import Pool, Target

LINE = 16 * 1024
"""Bytes of a request line or of a header (quotas for Application Load Balancers)."""
ALL_HEADERS = 32 * 1024
"""Bytes of the headers of an answer (the same page)."""
MOST_HEADERS = 1000


class Playing:
    """A load balancer that follows what `update` says."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.pools: dict[str, Pool] = {}
        self.left: list[dict[str, Any]] = []
        """Last reports of target groups that no rule forwards to any more."""
        self._checks: dict[Target, asyncio.Task[None]] = {}
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=ALL_HEADERS,
            max_field_size=ALL_HEADERS,
        )
        self._for_checks = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        self._proxy = Proxy(self._session, self.pools, Minute())
        self._runner: web.AppRunner | None = None

    @property
    def balancer(self) -> LoadBalancer | None:
        return self._proxy.balancer

    async def update(self, balancer: LoadBalancer, instances: Mapping[str, Any]) -> None:
        """Apply what the control plane says now."""
        self._proxy.balancer = balancer
        for arn in [arn for arn in self.pools if arn not in balancer.groups]:
            pool = self.pools.pop(arn)
            self.left.append(pool.report(in_use=False))
            pool.cut()
        for arn, group in balancer.groups.items():
            if arn not in self.pools:
                self.pools[arn] = Pool(group)
            self.pools[arn].update(group, instances)
        self._check()
        if balancer.rules and self._runner is None:
            await self._listen(balancer)
        elif not balancer.rules and self._runner is not None:
            await self._silence()

    def drain(self, speed: float) -> None:
        """Let go of deregistered targets."""
        for pool in self.pools.values():
            pool.drain(speed)

    def minute(self, start: float) -> list[dict[str, Any]]:
        """Return what was counted until now as `MetricData`, and begin a new minute. `start`: of the one that ends."""
        counted, self._proxy.minute = self._proxy.minute, Minute()
        if self.balancer is None:
            return []
        suffix = self.balancer.suffix
        open_connections = len(self._runner.server.connections) if self._runner and self._runner.server else 0
        for arn, pool in self.pools.items():
            both = of_targets(suffix, pool.suffix)
            open_connections += sum(target.outstanding for target in pool.targets.values())
            healthy, unhealthy = pool.counted("healthy"), pool.counted("unhealthy")
            registered = healthy + unhealthy + pool.counted("initial")
            if registered:
                counted.value("HealthyHostCount", healthy, both)
                counted.value("UnHealthyHostCount", unhealthy, both)
            if counted.requests[arn]:
                each = counted.requests[arn] / (healthy or registered or 1)
                counted.add("RequestCountPerTarget", both, of_group(pool.suffix), amount=each)
        counted.add("ActiveConnectionCount", of_balancer(suffix), amount=open_connections)
        return counted.data(start)

    async def close(self) -> None:
        """End everything."""
        for task in self._checks.values():
            task.cancel()
        await asyncio.gather(*self._checks.values(), return_exceptions=True)
        await self._silence()
        await self._session.close()
        await self._for_checks.close()

    def _check(self) -> None:
        wanted = {target: pool for pool in self.pools.values() for target in pool.targets.values()}
        for target in [target for target in self._checks if target not in wanted]:
            self._checks.pop(target).cancel()
        for target, pool in wanted.items():
            if target not in self._checks:
                checking = keep_checking(self._for_checks, pool, target, self._changed)
                self._checks[target] = asyncio.create_task(checking)

    async def _listen(self, balancer: LoadBalancer) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._proxy.answer)
        app.on_response_prepare.append(only_what_was_sent)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            keepalive_timeout=balancer.idle_timeout,
            max_line_size=LINE,
            max_field_size=LINE,
            max_headers=MOST_HEADERS,
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        host, _, port = balancer.address.rpartition(":")
        await web.TCPSite(self._runner, host, int(port)).start()

    async def _silence(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
