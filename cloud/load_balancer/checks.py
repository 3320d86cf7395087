"""The health checks that a load balancer sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from cloud.load_balancer.configuration import HealthCheck
from cloud.load_balancer.health import FAILED, HEALTHY, TIMED_OUT, Health, mismatch
from cloud.load_balancer.targets import Pool, Target
from local.asking import status_in

NOT_YET = 0.2
"""Seconds until a target is looked at again that cannot be checked now, because its machine is not there yet."""


async def keep_checking(
    session: aiohttp.ClientSession, pool: Pool, target: Target, changed: Callable[[], None]
) -> None:
    """Check a target for as long as it is registered."""
    while target.draining_since is None:
        if not target.checkable:
            await asyncio.sleep(NOT_YET)
            continue
        before = target.health
        target.verdict.checked(await check_once(session, target, pool.group.check), pool.group.check)
        if target.health != before:
            changed()
        await asyncio.sleep(pool.group.check.interval)


async def check_once(session: aiohttp.ClientSession, target: Target, check: HealthCheck) -> Health:
    """Return `HEALTHY`, or why the target is not."""
    at = f"{target.address}:{check.port or target.port}"
    headers = {"Host": at, "User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
    try:
        async with (
            asyncio.timeout(check.timeout),
            session.get(
                URL(f"http://{at}{check.path}", encoded=True), headers=headers, allow_redirects=False
            ) as answer,
        ):
            return HEALTHY if status_in(check.matcher)(answer.status) else mismatch(answer.status)
    except TimeoutError:
        return TIMED_OUT
    except (aiohttp.ClientError, OSError, ValueError):
        return FAILED
