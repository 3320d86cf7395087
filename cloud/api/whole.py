"""All parts of the API, put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from cloud.api.front import IDLE, Front
from cloud.api.functions import KEPT, MOST, Functions
from cloud.api.instance import Surroundings
from cloud.api.log_lines import LogLines
from cloud.api.metrics import PERIOD, Metrics
from cloud.api.proxy import Proxy
from cloud.api.reading import Clients, Reader
from cloud.api.serving import bound, listen
from cloud.api.task_root import python_in
from cloud.certificates import Authority
from cloud.control_plane.client import ControlPlane, Refused

_PATH = "/usr/local/bin:/usr/bin:/bin"
_BETWEEN = 0.5
"""Seconds between two looks at what is deployed, at least."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The ports, folders and limits of the API."""

    control_plane: str
    """Its URL."""
    folder: Path
    port: int = 0
    proxy_port: int = 0
    adapter: str | None = None
    """The Lambda Web Adapter's program; `None`: a stand-in plays it."""
    speed: float = 1.0
    """How many of AWS's seconds pass in a second: for the periods of metrics."""
    most: int = MOST
    kept: float = KEPT
    idle: float = IDLE
    marks: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Served:
    """The running API."""

    port: int
    proxy_port: int
    authority: Path
    """The certificate that clients trust."""
    functions: Functions
    metrics: Metrics


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Served]:
    """Serve the API for the time of the block. When the block begins, it has read once what is deployed. Raises
    `OSError`."""
    unpacked = settings.folder / "functions"
    shutil.rmtree(unpacked, ignore_errors=True)
    tools = python_in(unpacked / "bin")
    plane = ControlPlane(settings.control_plane)
    lines = LogLines(settings.control_plane)
    metrics = Metrics(settings.control_plane, PERIOD / settings.speed)
    around = Surroundings(settings.control_plane, f"{tools}:{_PATH}", settings.adapter, {**settings.marks})
    functions = Functions(
        code=plane.code,
        folder=unpacked,
        around=around,
        lines=lines,
        metrics=metrics,
        most=settings.most,
        kept=settings.kept,
    )
    authority = Authority(settings.folder)
    where = bound(settings.port)
    port: int = where.getsockname()[1]
    front = Front(functions, lines, metrics, port=port, idle=settings.idle)
    proxy = Proxy(is_ours=lambda host: front.names.knows(host), port=port)
    watcher = _Watcher(plane, Clients(settings.control_plane), front, functions)
    await watcher.look()
    tls = await listen(front, where, authority.context(lambda host: front.names.certified(host)))
    proxied = await proxy.listen(settings.proxy_port)
    lines.start()
    metrics.start()
    watching = asyncio.create_task(watcher.run())
    try:
        yield Served(port, proxied.sockets[0].getsockname()[1], authority.file, functions, metrics)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        tls.close()
        proxied.close()
        await proxy.close()
        await functions.close()
        await lines.close()
        await metrics.close()


class _Watcher:
    """Reads again what is deployed when something has changed."""

    def __init__(self, plane: ControlPlane, clients: Clients, front: Front, functions: Functions) -> None:
        self._plane = plane
        self._reader = Reader(clients)
        self._front = front
        self._functions = functions
        self._version = -1

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.look()
                await self._functions.tidy()
            except (OSError, Refused, BotoCoreError, ClientError) as problem:
                _LOG.warning("the control plane cannot be read: %s", problem)
            await asyncio.sleep(max(0.0, _BETWEEN - (time.monotonic() - began)))

    async def look(self) -> None:
        """Wait up to 5 seconds for a change, and read it. Raises what the clients raise."""
        version = await asyncio.to_thread(self._plane.version_after, self._version)
        if version == self._version:
            return
        described = await asyncio.to_thread(self._plane.functions)
        names = await asyncio.to_thread(self._reader.read, [each["region"] for each in described])
        await self._functions.update(described)
        self._front.names = names
        self._version = version
