"""The gateway, called as by a server whose parser lets everything through, on an upstream that keeps every byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from gateway_lambda.app import make_app
from gateway_lambda.registry.file import FileRegistry
from gateway_lambda.server.adapter import behind_adapter
from gateway_lambda.settings import Settings
from tests.gateway.raw_upstream import RawUpstream
from tests.gateway.serving import Bench, Loop

SECOND = b"\r\n\r\nGET /stolen HTTP/1.1\r\nHost: locked.internal\r\n\r\n"
USUAL: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "scheme": "http",
    "raw_path": b"/services/run/x",
    "query_string": b"q=1",
    "root_path": "/live",
    "client": ("203.0.113.7", 5),
    "headers": [
        (b"host", b"gateway.example.org"),
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"authorization", b"Bearer own"),
        (b"content-type", b"text/plain"),
        (b"x-request-id", b"1"),
        (b"content-length", b"4"),
    ],
}
WRITTEN = (
    b"POST /x?q=1 HTTP/1.1\r\n"
    b"host: run.internal\r\n"
    b"authorization: Bearer own\r\n"
    b"content-type: text/plain\r\n"
    b"x-request-id: 1\r\n"
    b"x-forwarded-for: 198.51.100.1, 203.0.113.7\r\n"
    b"x-forwarded-host: gateway.example.org\r\n"
    b"x-forwarded-proto: http\r\n"
    b"x-forwarded-prefix: /live/services/run\r\n"
    b"content-length: 4\r\n"
    b"\r\nbody"
)


class Unguarded:
    """The application; what it is asked goes past every parser."""

    def __init__(self, loop: Loop, bench: Bench, upstream: RawUpstream) -> None:
        self.bench, self.upstream = bench, upstream
        self.loop = loop
        self.app = make_app(Settings(domain="example.org"), FileRegistry(str(bench.file)))

    def ask(self, *, adapter: bool = False, pieces: tuple[bytes, ...] = (b"body",), **scope: Any) -> tuple[int, bytes]:
        """The status and the body of the answer to a request, whose parts differ from the usual ones by `scope`."""
        sent: list[Any] = []
        left = list(pieces)

        async def receive() -> Any:
            if not left:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: Any) -> None:
            sent.append(message)

        app = behind_adapter(self.app) if adapter else self.app
        self.loop.run(asyncio.wait_for(app({**USUAL, **scope}, receive, send), 10))
        return sent[0]["status"], b"".join(message["body"] for message in sent[1:])

    def close(self) -> None:
        """End the connections, as a server does at its end."""

        async def receive() -> Any:
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            await asyncio.sleep(0)

        self.loop.run(self.app({"type": "lifespan"}, receive, send))
        self.loop.run(self.upstream.stop())


@contextlib.contextmanager
def unguarded(loop: Loop, bench: Bench) -> Iterator[Unguarded]:
    """An open run `run`, a closed one `locked`, and two models."""
    upstream = RawUpstream()
    loop.run(upstream.start())
    bench.register(
        bench.service("run", model=None, url=upstream.url, host="run.internal"),
        bench.service("locked", model=None, auth=True, url=upstream.url, host="locked.internal"),
        bench.service("chat", model="m", format="openai", url=upstream.url),
        bench.service("own-key", model="k", auth=True, format="openai", url=upstream.url, upstream_api_key="k\n"),
    )
    served = Unguarded(loop, bench, upstream)
    yield served
    served.close()


def with_header(name: bytes, value: bytes) -> dict[str, Any]:
    """The usual request with this header in place of the one of that name, or beside them all."""
    return {"headers": [*(header for header in USUAL["headers"] if header[0] != name), (name, value)]}
