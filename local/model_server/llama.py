"""llama.cpp, in this process or in another one. Requests to it go over HTTP on 127.0.0.1.

The system chooses the port of llama.cpp. It needs a key, which is made for this process.
"""

from __future__ import annotations

import asyncio
import ctypes
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from local.model_server.llama_settings import CONNECTIONS, CONTEXT, Use, llama_cpp, llama_settings

_LARGE = 50_000
"""Characters of a text whose tokenizing takes memory worth returning: 2 MB of text take 150."""
_IDLE_CONNECTION = 2.0
"""Seconds; llama.cpp closes idle connections after 5, and a request must not meet that."""


class LlamaError(Exception):
    """llama.cpp answered with an error, or broke off. `str()` is its message."""


class LlamaRefused(LlamaError):
    """llama.cpp answered with an error: `status` and `body`, as it sent them."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(_message(body))
        self.status = status
        self.body = body


class Llama:
    """The running llama.cpp. Closing ends its open requests; the thread of the model ends with the process."""

    def __init__(self, address: str, key: str, *, socket: Path | None = None, server: object = None) -> None:
        """Use a llama.cpp that runs at this base URL, or behind a Unix socket. `server` is kept as long as this is."""
        self.address = address
        self.key = key
        self._socket = socket
        self._server = server
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        use: Use = "repeatable",
        context: int = CONTEXT,
        template: str | None = None,
        key: str | None = None,
        verbose: bool = False,
    ) -> Llama:
        """Load the weights into this process; takes about half a second.

        `context`: tokens of a slot. `template`: a chat template in place of the one in the file. `key`: closes its
        port; `None`: a new one.

        Raises:
            RuntimeError: they cannot be loaded.
        """
        key = key or secrets.token_hex(16)
        server = llama_cpp().Server(llama_settings(path, key, use, context, template, verbose=verbose))
        return cls(server.listening_address, key, server=server)

    async def tokenize(self, text: str) -> list[int]:
        """Return the ids of the tokens of `text`. Special tokens in it are recognised, and those of the tokenizer are
        added."""
        answer = await self._ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        if len(text) > _LARGE:
            _return_memory()
        return answer["tokens"]

    async def write_prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the prompt that the model's own chat template makes of `messages`.

        Raises:
            LlamaError: the template does not take them.
        """
        return (await self._ask("/apply-template", {"messages": messages}))["prompt"]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens.

        Raises:
            LlamaError: the model does not have one of them.
        """
        return (await self._ask("/detokenize", {"tokens": tokens}))["content"]

    async def embed(self, texts: Sequence[str | Sequence[int]], *, normalize: bool) -> list[list[float]]:
        """Return the embedding of each text, or of each list of token ids.

        Raises:
            LlamaError: a text is too long, or llama.cpp failed.
        """
        request = {"input": texts, "embd_normalize": 2 if normalize else -1}
        answer = await self._ask("/v1/embeddings", request)
        return [one["embedding"] for one in sorted(answer["data"], key=lambda one: one["index"])]

    async def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of llama.cpp's /completion, which is not streamed. Cancelling ends it.

        Raises:
            LlamaError: it was refused or failed.
        """
        return await self._ask("/completion", request)

    async def stream(self, request: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of llama.cpp's /completion. Closing the iterator ends it.

        Raises:
            LlamaError: it was refused or failed.
        """
        async with aclosing(self.events("/completion", msgspec.json.encode({**request, "stream": True}))) as events:
            async for block in events:
                name, _, value = block.partition(b": ")
                if name == b"error":
                    raise LlamaError(_message(value))
                if name == b"data" and value.strip() != b"[DONE]":
                    event: dict[str, Any] = msgspec.json.decode(value)
                    if "error" in event:
                        raise LlamaError(_message(value))
                    yield event

    async def events(self, path: str, body: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the events of a stream as llama.cpp writes them, each with its empty line. Closing the iterator ends
        it.

        Raises:
            LlamaRefused: it answered with an error.
            LlamaError: it broke off.
        """
        try:
            async with self._open().post(self.address + path, data=body, headers=self._headers) as response:
                if response.status != 200:
                    raise LlamaRefused(response.status, await response.read())
                held = b""
                async for piece in response.content.iter_any():
                    *whole, held = (held + piece).split(b"\n\n")
                    for block in whole:
                        yield block + b"\n\n"
        except (aiohttp.ClientError, OSError) as error:
            raise LlamaError(f"llama.cpp broke off: {error}") from error

    async def ask(self, path: str, body: bytes | None = None) -> bytes:
        """Return the answer to a POST with `body`, or to a GET.

        Raises:
            LlamaRefused: it answered with an error.
            LlamaError: it broke off.
        """
        try:
            status, answer = await self._send(path, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # llama.cpp closed an idle connection just now. It answered nothing, so the request can be sent again.
            try:
                status, answer = await self._send(path, body)
            except (aiohttp.ClientError, OSError) as error:
                raise LlamaError(f"llama.cpp broke off: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise LlamaError(f"llama.cpp broke off: {error}") from error
        if status != 200:
            raise LlamaRefused(status, answer)
        return answer

    async def healthy(self) -> bool:
        """Return whether it answers within five seconds."""
        try:
            async with asyncio.timeout(5), self._open().get(f"{self.address}/health") as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def close(self) -> None:
        """End every open request."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return msgspec.json.decode(await self.ask(path, msgspec.json.encode(request)))

    async def _send(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        method = "GET" if body is None else "POST"
        async with self._open().request(method, self.address + path, data=body, headers=self._headers) as response:
            return response.status, await response.read()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            options: Mapping[str, Any] = {"limit": CONNECTIONS, "keepalive_timeout": _IDLE_CONNECTION}
            path = None if self._socket is None else str(self._socket)
            connector = aiohttp.TCPConnector(**options) if path is None else aiohttp.UnixConnector(path, **options)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._session


def _return_memory() -> None:
    """Return freed memory to the system. glibc keeps it otherwise; other C libraries do not have this call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _message(answer: bytes) -> str:
    try:
        value = msgspec.json.decode(answer)
        error = value.get("error", value)
        return str(error["message"])
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
        return answer.decode(errors="replace")[:500]
