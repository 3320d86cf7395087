"""Questions to servers over plain HTTP: does one answer, does it serve yet, what does it say about itself."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

STEP = 0.05
"""Seconds between two questions to a server that is starting."""
SLOWEST_STEP = 1.0
"""Seconds between two questions to a slow server, which pulls an image or loads weights."""


@dataclass(frozen=True)
class Answer:
    """The answer of a server."""

    status: int
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the JSON object in the body; an empty one if the body is something else."""
        try:
            value: object = json.loads(self.body)
        except ValueError:
            return {}
        return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def get(url: str, path: str, *, timeout: float = 5.0) -> Answer:
    """Send GET `path` below the base address `url`, without proxies.

    Raises:
        OSError: nothing answers HTTP there within `timeout` seconds.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers={"connection": "close"})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer ({type(error).__name__})") from error
    finally:
        connection.close()


async def wait_until_serving(url: str, path: str, good: Callable[[int], bool]) -> None:
    """Ask until the status is good. There is no time limit: cancel it to give up."""
    step = STEP
    while True:
        try:
            answer = await asyncio.to_thread(get, url, path)
        except OSError:
            pass
        else:
            if good(answer.status):
                return
        await asyncio.sleep(step)
        step = min(step * 1.2, SLOWEST_STEP)


def status_in(matcher: str) -> Callable[[int], bool]:
    """Return a check for the matcher of a load balancer: `200`, `200,204`, `200-499`."""
    ranges = [tuple(int(end) for end in part.split("-")) for part in matcher.split(",")]
    return lambda status: any(one[0] <= status <= one[-1] for one in ranges)
