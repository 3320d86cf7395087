"""Ollama: a server that has no model until one is pulled, and the commands that ask it."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cloud.machines.stand_ins.front import Front
from cloud.machines.stand_ins.model_server import applications, as_container, serve
from infra.planning.model_server import Loaded, loaded_model
from infra.planning.servers import Server
from local.model_server.http import Receive, Send
from local.model_server.services import Service


def run_ollama(arguments: Sequence[str]) -> int:
    """`ollama serve`, `list`, `pull NAME` and `run NAME`; returns the exit status."""
    command, *rest = [*arguments, ""]
    names = [word for word in rest if word and not word.startswith("-")]
    if command in ("serve", "start"):
        loaded = loaded_model(as_container(["ollama", *arguments]))
        if loaded.server is not None:
            port = loaded.port or loaded.server.port
            return serve(_Ollama(loaded.server, loaded, port), loaded, port)
    try:
        if command in ("list", "ls"):
            print("NAME", *(model["name"] for model in _ask("/api/tags")["models"]), sep="\n", flush=True)
            return 0
        if command in ("pull", "run") and names:
            if "not-found" in names[0]:
                print("Error: pull model manifest: file does not exist", file=sys.stderr, flush=True)
                return 1
            _ask("/api/pull", {"model": names[0]})
            print("success", flush=True)
            return 0
    except OSError:
        print("Error: could not connect to ollama server, run 'ollama serve' to start it", file=sys.stderr, flush=True)
        return 1
    print(f'Error: unknown command "{command}" for "ollama"', file=sys.stderr, flush=True)
    return 1


class _Ollama(Front):
    def __init__(self, server: Server, loaded: Loaded, port: int) -> None:
        self._port, self._known, self._pulled = port, server, list[str]()
        super().__init__(server, applications(server, {"/": self._service()}, port), own_metrics=True)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/api/tags":
            await _respond(send, {"models": [{"name": name, "model": name} for name in self._pulled]})
        elif scope["path"] == "/api/pull":
            body = b""
            while (message := await receive())["type"] == "http.request":
                body += message["body"]
                if not message.get("more_body"):
                    break
            self._pulled.append(msgspec.json.decode(body)["model"])
            self.apps = applications(self._known, {"/": self._service()}, self._port)
            await _respond(send, {"status": "success"})
        else:
            await super().__call__(scope, receive, send)

    def _service(self) -> Service:
        name = self._pulled[-1] if self._pulled else None
        return Service(api="openai", stands_in_for=name or "Ollama", model=name, names=tuple(self._pulled))


async def _respond(send: Send, value: object) -> None:
    body = msgspec.json.encode(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _ask(path: str, body: object = None) -> Any:
    host = os.environ.get("OLLAMA_HOST", "127.0.0.1:11434").rpartition("//")[2]
    name, _, port = host.partition(":")
    address = f"http://{'127.0.0.1' if name in ('', '0.0.0.0') else name}:{port or 11434}{path}"  # noqa: S104
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=60) as answer:
        return json.load(answer)
