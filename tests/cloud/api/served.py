"""The API in a thread of this process, and curl as its client."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloud.api.whole import Served, Settings, serving


@dataclass(frozen=True)
class Response:
    """What curl got."""

    ended: int
    """curl's exit status; 18: the response broke off."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Api:
    """A running API."""

    served: Served
    loop: asyncio.AbstractEventLoop

    def curl(
        self,
        url: str,
        *arguments: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        proxied: bool = False,
    ) -> Response:
        """Ask for `https://HOST/PATH`, whose port is filled in unless it is asked through the proxy."""
        with TemporaryDirectory() as name:
            head, got, sent = (Path(name) / each for each in ("head", "body", "sent"))
            command = ["curl", "-sS", "--cacert", str(self.served.authority), "-D", str(head), "-o", str(got)]
            command += [part for key, value in headers for part in ("-H", f"{key}: {value}")]
            if body is not None:
                sent.write_bytes(body)
                command += ["--data-binary", f"@{sent}"]
            if proxied:
                command += ["--proxy", f"http://127.0.0.1:{self.served.proxy_port}", "--suppress-connect-headers"]
            asked = url if proxied else self.address(url)
            done = subprocess.run([*command, *arguments, asked], capture_output=True, env={"PATH": "/usr/bin:/bin"})
            # A response can come after `100 Continue`.
            lines = head.read_text().strip().split("\n\n")[-1].splitlines() if head.exists() else []
            pairs = (line.partition(": ") for line in lines[1:] if ": " in line)
            status = int(lines[0].split()[1]) if lines else 0
            kept = {key.lower(): value for key, _, value in pairs}
            return Response(done.returncode, status, kept, got.read_bytes() if got.exists() else b"")

    def address(self, url: str) -> str:
        host, slash, path = url.removeprefix("https://").partition("/")
        return f"https://{host}:{self.served.port}{slash}{path}"

    def wait(self, work: Any, within: float = 100) -> Any:
        """Run a coroutine of the API's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(within)


@contextlib.contextmanager
def serving_api(settings: Settings) -> Iterator[Api]:
    """The API, for the time of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    whole = serving(settings)
    try:
        served = asyncio.run_coroutine_threadsafe(whole.__aenter__(), loop).result(100)
        try:
            yield Api(served, loop)
        finally:
            asyncio.run_coroutine_threadsafe(whole.__aexit__(None, None, None), loop).result(100)
            asyncio.run_coroutine_threadsafe(_cancel_the_rest(), loop).result(100)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _cancel_the_rest() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
