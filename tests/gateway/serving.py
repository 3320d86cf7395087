"""The gateway, served for real by uvicorn, and scripted upstreams beside it: both in one event loop of a thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import openai
import uvicorn

from gateway_lambda.app import make_app
from gateway_lambda.registry.file import FileRegistry
from gateway_lambda.registry.table import RegistrySource
from gateway_lambda.server.client_connection import ClientConnection
from gateway_lambda.settings import Settings
from tests.gateway.scripted_tgi import Asked, Tgi
from tests.gateway.standing_clock import StandingLoop

_Result = TypeVar("_Result")

KEY = "sk-good"
T0 = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
HI = [{"role": "user", "content": "Hi"}]


class Loop:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = StandingLoop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="gateway under test", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def call(self, function: Any) -> None:
        self.loop.call_soon_threadsafe(function)

    @contextlib.contextmanager
    def standing_clock(self) -> Iterator[Clock]:
        """For the time of the block, the loop's clock stands."""
        self.loop.stands = True
        try:
            yield Clock(self)
        finally:
            self.loop.stands = False

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Clock:
    """The standing clock of a loop."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def passes(self, seconds: float) -> None:
        """Let time pass, after the gateway has what was sent to it before."""
        self._loop.run(self._loop.loop.pass_time(seconds))


PATIENT: dict[str, Any] = {"connect_timeout": 30.0, "head_timeout": 60.0, "commit_after": 60.0, "keep_alive": 60.0}
"""Settings with which no delay of the machine becomes an answer. Tests of these times give their own."""


class Bench:
    """A gateway, the registry file it reads, and its upstreams."""

    def __init__(self, loop: Loop, folder: Path) -> None:
        self.loop = loop
        self.tgi = self.upstream()
        self.file = folder / "registry.json"
        self.registry: dict[str, Any] = {"keys": [], "services": [self.service()]}
        self.port = 0
        self.scheme = "http"
        self.http = httpx.Client(verify=False, timeout=60)
        """Without certificates to load, which takes longer than most tests."""
        self.server: uvicorn.Server | None = None

    def upstream(self) -> Tgi:
        """Another scripted TGI."""
        tgi = Tgi()
        self.loop.run(tgi.start())
        self._started = [*getattr(self, "_started", []), tgi]
        return tgi

    def nobody(self) -> str:
        """An address that refuses connections. No other program can get it."""
        gone = self.upstream()
        self.loop.run(gone.stop())
        return gone.url

    def service(self, run: str = "run", auth: bool = False, model: str | None = "m", **fields: Any) -> dict[str, Any]:
        """A record; `fields` are the model's, but for `url` and `host`."""
        record: dict[str, Any] = {"run": run, "url": fields.pop("url", self.tgi.url), "auth": auth}
        if "host" in fields:
            record["host"] = fields.pop("host")
        if model is not None:
            usual = {"name": model, "chat_template": T0, "eos_token": "</s>", "bos_token": "<s>", "created": 5}
            record["model"] = {**usual, **fields}
        return record

    def register(self, *services: dict[str, Any], keys: tuple[dict[str, Any], ...] = ()) -> None:
        """Write the registry file anew."""
        self.registry = {"keys": list(keys), "services": list(services)}
        self.write_registry()

    def write_registry(self) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(self.registry))
        fresh.replace(self.file)

    def serve(self, *, source: RegistrySource | None = None, certificate: Path | None = None, **settings: Any) -> None:
        """Start the gateway; `settings` differ from the defaults and from `PATIENT`.

        `source`: what `settings["registry"]` names, if that is not the file. `certificate`: a file with a key and its
        certificate, to speak TLS.
        """
        if not self.file.exists():
            self.write_registry()
        chosen = msgspec.structs.replace(Settings(registry=f"file:{self.file}"), **{**PATIENT, **settings})
        self.scheme = "http" if certificate is None else "https"
        self.loop.run(self._serve(chosen, source or FileRegistry(str(self.file)), certificate))

    async def _serve(self, settings: Settings, source: RegistrySource, certificate: Path | None) -> None:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        """asyncio sends small pieces at once only where it sees that this is TCP."""
        listening.bind(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            make_app(settings, source),
            ssl_certfile=certificate,
            http=ClientConnection.serving(settings),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=600,
        )
        config.load()
        self.server = uvicorn.Server(config)
        self.server.lifespan = config.lifespan_class(config)
        await self.server.startup([listening])

    def close(self) -> None:
        self.http.close()
        self.loop.run(self._close())

    async def _close(self) -> None:
        """Not uvicorn's own shutdown, which polls every 0.1 s."""
        if self.server is not None:
            for server in self.server.servers:
                server.close()
            for connection in list(self.server.server_state.connections):
                connection.transport.abort()  # type: ignore[union-attr]
            while tasks := list(self.server.server_state.tasks):
                await asyncio.wait(tasks, timeout=10)
            await self.server.lifespan.shutdown()
        for tgi in self._started:
            await tgi.close()

    @property
    def url(self) -> str:
        if not self.port:
            self.serve()
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def client(self, **options: Any) -> Iterator[openai.OpenAI]:
        """The real client. No retries, unless a test asks for them."""
        chosen = {"api_key": "none", "base_url": f"{self.url}/v1", "max_retries": 0, "timeout": 60, **options}
        with openai.OpenAI(http_client=openai.DefaultHttpxClient(verify=False), **chosen) as client:
            yield client

    def chat(self, **merged: Any) -> Any:
        """The base request with `merged` fields through the real client."""
        with self.client() as client:
            return client.chat.completions.create(model="m", messages=HI, extra_body=merged)

    def post(self, body: Any = None, *, path: str = "/v1/chat/completions", **merged: Any) -> httpx.Response:
        """The base request with `merged` fields, or another body, over raw HTTP."""
        data = {"model": "m", "messages": HI, **merged} if body is None else body
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        return self.http.post(self.url + path, content=content, headers={"content-type": "application/json"})

    def leave(self, **merged: Any) -> None:
        """Send the base request with `merged` fields, and close the connection once an upstream has it."""
        body = json.dumps({"model": "m", "messages": HI, **merged})
        url = httpx.URL(self.url)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        seen = len(self._posted())
        with socket.create_connection((url.host, self.port)) as connection:
            connection.sendall((head + body).encode())
            give_up = time.monotonic() + 20
            while len(self._posted()) == seen:
                assert time.monotonic() < give_up, "the request reached no upstream"
                time.sleep(0.01)

    def _posted(self) -> list[Asked]:
        return [asked for asked in self.tgi.asked if asked.method == "POST"]

    def events(self, **merged: Any) -> list[Any]:
        """The data of a stream's events, decoded, `[DONE]` as it is."""
        response = self.post(stream=True, **merged)
        assert response.status_code == 200, response.text
        return read_events(response.text)


def read_events(text: str) -> list[Any]:
    """The data of an event stream, decoded, `[DONE]` as it is; comments left out."""
    data = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]
