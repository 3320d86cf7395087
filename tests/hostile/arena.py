"""One case against the real application, over a scripted upstream, and what is wrong with how it ended.

A case is a JSON object whose `kind` says what is odd in it:

request         `path`, `body`; a caller's
answer          `body`, with `status` and `stream`; a replica's, to a chat with the fields `asked` of `model`;
                `info`, `tokens`: what it answers at `/info` and `/tokenize`
registry        `text`: the registry file
configuration   `text`: a YAML file

Bodies are text whose characters are bytes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

from gateway_lambda.app import make_app
from gateway_lambda.registry.file import FileRegistry, RegistryError
from gateway_lambda.server.app import App
from gateway_lambda.settings import Settings
from infra.configuration import ConfigurationError, loads
from tests.gateway.scripted_tgi import Asked, Script, Tgi, reply
from tests.gateway.serving import HI
from tests.hostile.limited import in_time
from tests.hostile.scripts import streamed

Case = dict[str, Any]
TEMPLATE = (
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}[{{ m.role }}]"
    "{% if m.content is string %}{{ m.content }}{% elif m.content %}{{ m.content | tojson }}{% endif %}"
    "{% for call in m.tool_calls or [] %}{{ call.function.name }}{{ call.function.arguments | tojson }}{% endfor %}"
    "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
"""Of a model that calls tools: it shows all that a caller sends."""
_PATIENCE = 20.0
"""Seconds until a case counts as one that hangs; the application's own limits are shorter."""
_ERROR = {"message", "type", "param", "code"}


class _Upstream(Tgi):
    """`said`: by path, before what a TGI says."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, Script] = {}

    def _script_for(self, asked: Asked) -> Script:
        self.asked.clear()
        return self.said.get(asked.path) or super()._script_for(asked)


class _Exceptions(logging.Handler):
    """Exceptions that were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(repr(record.exc_info[1])[:300])


class Arena:
    """Tries cases, one after the other, in the running event loop. `close` it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "registry.json"
        self._usual = folder / "usual.json"
        self._upstream = _Upstream()
        self._exceptions = _Exceptions()
        logging.getLogger().addHandler(self._exceptions)
        logging.getLogger("gateway_lambda").setLevel(logging.CRITICAL - 1)
        logging.getLogger("gateway_lambda.server.app").setLevel(logging.ERROR)

    async def start(self) -> None:
        """Begin to listen."""
        await self._upstream.start()
        self._usual.write_text(json.dumps(self._registry_of_all()))
        self._source = FileRegistry(str(self._usual))

    async def close(self) -> None:
        """End it."""
        logging.getLogger().removeHandler(self._exceptions)
        for name in ("gateway_lambda", "gateway_lambda.server.app"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        await self._upstream.close()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=5)

    async def wrong(self, case: Case) -> list[str]:
        """What is wrong with how the case ended; nothing, as a rule."""
        self._exceptions.found.clear()
        self._upstream.said = {}
        before = time.process_time()
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await getattr(self, f"_{case['kind']}")(case)
        except TimeoutError:
            found = ["it hangs"]
        except Exception as problem:
            found = [f"{type(problem).__name__}: {str(problem)[:300]}"]
        took = time.process_time() - before
        return [*self._exceptions.found, *found, *([] if in_time(took) else [f"{took:.1f} s"])]

    def _registry_of_all(self) -> dict[str, Any]:
        """The registry of requests and answers."""
        model = {"name": "m", "chat_template": TEMPLATE, "eos_token": "</s>", "bos_token": "<s>"}
        services = [
            {"run": "run", "url": self._upstream.url, "auth": False, "model": model},
            {"run": "passed", "url": self._upstream.url, "auth": False, "model": {"name": "o", "format": "openai"}},
            {"run": "seen", "url": self._upstream.url, "auth": False, "model": {**model, "name": "v", "vision": True}},
        ]
        return {"keys": [], "services": services}

    async def _request(self, case: Case) -> list[str]:
        async with _served(make_app(_settings(self._usual), self._source)) as app:
            return await _ask(app, case["path"], case["body"].encode("latin-1"), by="caller")

    async def _answer(self, case: Case) -> list[str]:
        body = case["body"].encode("latin-1")
        script = streamed(body) if case.get("stream") else reply(case.get("status", 200), body)
        paths = ("/generate", "/generate_stream", "/v1/chat/completions")
        self._upstream.said = dict.fromkeys(paths, script)
        for path, name in (("/info", "info"), ("/tokenize", "tokens")):
            if name in case:
                self._upstream.said[path] = reply(200, case[name].encode("latin-1"))
        asked = {"model": case.get("model", "m"), "messages": HI, **case.get("asked", {})}
        async with _served(make_app(_settings(self._usual), self._source)) as app:
            return await _ask(app, "/v1/chat/completions", json.dumps(asked).encode(), by="replica")

    async def _registry(self, case: Case) -> list[str]:
        text = case["text"].replace("URL", self._upstream.url)
        self._file.write_bytes(text.encode("latin-1"))
        try:
            app = make_app(_settings(self._file), FileRegistry(str(self._file)))
        except RegistryError:
            return []
        found: list[str] = []
        async with _served(app):
            chat = json.dumps({"model": "m", "messages": HI}).encode()
            for method, path, body in (
                ("GET", "/v1/models", b""),
                ("GET", "/v1/models/m", b""),
                ("POST", "/v1/chat/completions", chat),
                ("POST", "/v1/chat/completions", chat.replace(b'"messages"', b'"stream":true,"messages"')),
                ("GET", "/services/run/x", b""),
            ):
                found += await _ask(app, path, body, method=method, by="registry")
        return found

    async def _configuration(self, case: Case) -> list[str]:
        try:
            loads(case["text"], "case.yml")
        except ConfigurationError as refused:
            str(refused)
        return []


def _settings(file: Path) -> Settings:
    return Settings(registry=f"file:{file}", connect_timeout=1, idle_timeout=2, plain_timeout=2)


class _served:
    """The application, whose connections end behind the block."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __aenter__(self) -> App:
        return self._app

    async def __aexit__(self, *_: object) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            pass

        await self._app({"type": "lifespan"}, receive, send)


async def _ask(app: App, path: str, body: bytes, *, by: str, method: str = "POST") -> list[str]:
    """What is wrong with the answer to a request. `by`: who is odd; only a replica or a record may make it a 500."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))],
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []
    gone = asyncio.Event()
    come = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if come:
            return come.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    gone.set()
    return [] if not sent and by != "caller" else _judged(sent, by)


def _judged(sent: list[Any], by: str) -> list[str]:
    status, headers = sent[0]["status"], dict(sent[0]["headers"])
    text = b"".join(message["body"] for message in sent[1:])
    if not 200 <= status <= 599 or sent[-1].get("more_body", True):
        return [f"status {status}, {'not ended' if sent[-1].get('more_body', True) else 'ended'}"]
    kind = headers.get(b"content-type", b"")
    if kind.startswith(b"text/event-stream"):
        return _judged_events(text)
    if status >= 400 and kind == b"application/json":
        error = json.loads(text)["error"]
        if error.get("code") == "internal_error" or (
            status == 500 and by == "caller" and "chat_template" not in error["code"]
        ):
            return [f"{status} {error}"]
        passed = by == "replica" and isinstance(error.get("message"), str)
        return [] if passed or set(error) == _ERROR else [f"an error without {_ERROR - set(error)}"]
    if kind == b"application/json":
        json.loads(text)
    return []


def _judged_events(text: bytes) -> list[str]:
    events = [event for event in text.decode().split("\n\n") if event and not event.startswith(":")]
    if not text.endswith(b"\n\n") or not all(event.startswith("data: ") for event in events):
        return [f"no events: {text[-200:]!r}"]
    decoded = [event if event == "data: [DONE]" else json.loads(event[6:]) for event in events]
    if decoded[-1] != "data: [DONE]" and set(decoded[-1].get("error", ())) != _ERROR:
        return [f"the stream ends with {events[-1][:200]}"]
    return []
