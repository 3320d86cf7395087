"""All load balancers of the cloud, as the control plane has them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from cloud.load_balancer.counting import MINUTE, MOST_DATA, NAMESPACE, pieces
from cloud.load_balancer.following import AGAIN, ControlPlane
from cloud.load_balancer.playing import Playing

_UNANSWERED = (aiohttp.ClientError, TimeoutError, OSError, BotoCoreError, ClientError)


class Serving:
    """Plays every load balancer until it is cancelled."""

    def __init__(self, control_plane: ControlPlane, speed: float) -> None:
        self._control_plane = control_plane
        self._speed = speed
        self._playing: dict[str, Playing] = {}
        self._reported: dict[str, object] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Serve."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(self._report())
                tasks.create_task(self._count())
        finally:
            for one in self._playing.values():
                await one.close()

    async def _follow(self) -> None:
        version, said = 0, ""
        while True:
            try:
                newest = await self._control_plane.changed(version)
                if newest != version:
                    await self._read()
                version, said = newest, ""
            except _UNANSWERED as error:
                problem = f"the control plane does not answer: {type(error).__name__}: {error}"
                if problem != said:
                    print(problem, file=sys.stderr, flush=True)
                said = problem
            await asyncio.sleep(AGAIN)

    async def _read(self) -> None:
        instances = await self._control_plane.instances()
        found = {one.arn: one for one in await self._control_plane.load_balancers()}
        for arn in [arn for arn in self._playing if arn not in found]:
            await self._playing.pop(arn).close()
        for arn, balancer in found.items():
            if arn not in self._playing:
                self._playing[arn] = Playing(self._changed.set)
            await self._playing[arn].update(balancer, instances)
        self._changed.set()

    async def _report(self) -> None:
        """Report what is new of the health of targets."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), AGAIN)
            self._changed.clear()
            for one in list(self._playing.values()):
                one.drain(self._speed)
                for report in [*(pool.report() for pool in one.pools.values()), *one.left]:
                    await self._tell(report)
                one.left.clear()

    async def _tell(self, report: dict[str, Any]) -> None:
        arn: str = report["target_group"]
        if self._reported.get(arn) != report:
            with contextlib.suppress(*_UNANSWERED):
                await self._control_plane.tell_health(report)
                self._reported[arn] = report

    async def _count(self) -> None:
        """Send the metrics of each of AWS's minutes when it is over."""
        minute = MINUTE / self._speed
        while True:
            start = time.time() // minute * minute
            await asyncio.sleep(start + minute - time.time())
            for one in list(self._playing.values()):
                data = one.minute(start)
                if one.balancer is None:
                    continue
                for some in pieces(data, MOST_DATA):
                    with contextlib.suppress(*_UNANSWERED):
                        await self._control_plane.put_metrics(one.balancer.region, NAMESPACE, some)
