"""Follows the control plane: which load balancers there are, what became of them, and what they report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import aiohttp
import boto3
from botocore.config import Config

from cloud.load_balancer.configuration import LoadBalancer, UnplayedRule, read

AGAIN = 0.2
"""Seconds between two readings, or until the control plane is asked again after it did not answer."""
_LONGER_THAN_A_POLL = 15
"""Seconds. `/cloud/changes` waits up to 5."""


class ControlPlane:
    """Its API for load balancers, and its routes under `/cloud/`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session
        self._clients: dict[tuple[str, str], Any] = {}
        self._said: set[str] = set()

    async def changed(self, after: int) -> int:
        """Return the version, as soon as it is higher than `after`, at the latest after 5 seconds."""
        answer: Mapping[str, int] = await self._get(f"/cloud/changes?after={after}")
        return answer["version"]

    async def instances(self) -> Mapping[str, Any]:
        """Return the instances by their ids."""
        return {one["id"]: one for one in await self._get("/cloud/instances")}

    async def load_balancers(self) -> list[LoadBalancer]:
        """Return the load balancers that can be played. Those that cannot are named on standard error."""
        found: list[LoadBalancer] = []
        for one in await self._get("/cloud/load-balancers"):
            try:
                elbv2 = self._client("elbv2", one["region"])
                found.append(await asyncio.to_thread(read, elbv2, one["arn"], one["address"]))
            except UnplayedRule as problem:
                self._say(f"load balancer {one['arn']}: {problem}")
        return found

    async def tell_health(self, report: Mapping[str, Any]) -> None:
        """Report the health of the targets of a target group."""
        async with self._session.put(f"{self._url}/cloud/target-health", json=report) as answer:
            answer.raise_for_status()

    async def put_metrics(self, region: str, namespace: str, data: list[dict[str, Any]]) -> None:
        """Send metrics to CloudWatch."""
        client = self._client("cloudwatch", region)
        await asyncio.to_thread(client.put_metric_data, Namespace=namespace, MetricData=data)

    def _say(self, problem: str) -> None:
        """Say it once."""
        if problem not in self._said:
            self._said.add(problem)
            print(problem, file=sys.stderr, flush=True)

    async def _get(self, path: str) -> Any:
        timeout = aiohttp.ClientTimeout(total=_LONGER_THAN_A_POLL)
        async with self._session.get(f"{self._url}{path}", timeout=timeout) as answer:
            answer.raise_for_status()
            return await answer.json()

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[(service, region)] = boto3.client(  # pyright: ignore[reportUnknownMemberType]
                service,  # pyright: ignore[reportArgumentType]
                region_name=region,
                endpoint_url=self._url,
                aws_access_key_id="cloud",
                aws_secret_access_key="cloud",  # noqa: S106
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[(service, region)]
