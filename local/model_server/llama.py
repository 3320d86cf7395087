"""llama.cpp in this process: started with settings that make its results repeatable, asked over its loopback HTTP.

Two settings carry the promise that the same seed of a request to TGI's API gives the same text whatever else runs:

- micro-batches of one token. A token is computed alone, so that neither its neighbours in the prompt nor the other
  generations choose another kernel with another rounding. On CPUs of laptops batching gains next to nothing with a
  model of this size: prompts are read a quarter slower, four generations together run no slower;
- attention by the plain path, whose sums do not depend on how the work is split over threads.

They are not made for larger models, which gain much from batches, and for embeddings.

llama.cpp's own port is an address of 127.0.0.1 that the system chooses, closed by a key made for this process.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import os
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgspec

_XLLAMACPP: Any = importlib.import_module("xllamacpp")
"""It has no types."""
SLOTS = 2
"""Generations at once. Each has a context of its own, and a processor computes one token at a time anyway."""
CONTEXT = 8192
"""Tokens of prompt and answer in a slot, if the model was trained for so many: SmolLM2-135M was. A token's keys and
values take 23 kB there, both slots 377 MB."""
BATCH = 32
"""Prompt tokens between two looks at whether a client has left: about a quarter of a second."""
MODEL = "stand-in"
"""The model's name in llama.cpp's own answers."""
EMBEDDED_AT_ONCE = 4
"""Texts whose embeddings are computed together."""
EMBEDDED_TOKENS = 512
"""Tokens of a text for an embedding. llama.cpp computes them together, which its attention needs."""
MOST_THREADS = 4
_LARGE = 50_000
"""Characters of a text whose tokenizing takes memory worth returning: 2 MB of text take 150."""
_CONNECTIONS = 10
"""To llama.cpp, each of which holds one of its threads as long as it is open: the places, and questions beside
them."""
_IDLE_CONNECTION = 2.0
"""Seconds; llama.cpp closes idle connections after 5, and a request must not meet that."""


Use = Literal["repeatable", "quick", "embeddings"]
"""What llama.cpp is set up for: the same text for the same seed, larger models, or embeddings."""


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

    def __init__(
        self,
        path: Path,
        *,
        use: Use = "repeatable",
        context: int = CONTEXT,
        template: str | None = None,
        verbose: bool = False,
    ) -> None:
        """Load the weights; takes about half a second.

        `context`: tokens of a slot. `template`: a chat template in place of the one in the file.

        Raises:
            RuntimeError: they cannot be loaded.
        """
        key = secrets.token_hex(16)
        self._server = _XLLAMACPP.Server(_settings(path, key, use, context, template, verbose=verbose))
        self._address: str = self._server.listening_address
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def tokenize(self, text: str) -> list[int]:
        """Ids of the tokens of `text`, special tokens in it recognised and those added that the tokenizer adds."""
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
            LlamaError: one of them is no token.
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
        """llama.cpp's /completion, not streamed. Cancelling ends it.

        Raises:
            LlamaError: it was refused or failed.
        """
        return await self._ask("/completion", request)

    async def stream(self, request: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """llama.cpp's /completion, event by event. Closing the iterator ends it.

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
        """The events of a stream as llama.cpp writes them, each with its empty line. Closing the iterator ends it.

        Raises:
            LlamaRefused: it answered with an error.
            LlamaError: it broke off.
        """
        try:
            async with self._open().post(self._address + path, data=body, headers=self._headers) as response:
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
        """The answer to a POST with `body`, or to a GET.

        Raises:
            LlamaRefused: it answered with an error.
            LlamaError: it broke off.
        """
        try:
            status, answer = await self._send(path, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # A kept connection that llama.cpp closed at the same moment: nothing was answered, so asking again is safe.
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
        """Whether it answers within five seconds."""
        try:
            async with asyncio.timeout(5), self._open().get(f"{self._address}/health") as response:
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
        async with self._open().request(method, self._address + path, data=body, headers=self._headers) as response:
            return response.status, await response.read()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_IDLE_CONNECTION)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._session


def count_threads() -> int:
    """Threads of the model: half the processors, at most 4.

    A thread that loses its processor stops all the others at the next barrier, every few hundred microseconds: with as
    many threads as processors, generation was twenty times slower while something else ran.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, processors // 2))


def _return_memory() -> None:
    """Give the system back what was freed. glibc keeps it for the next such text; other libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _settings(path: Path, key: str, use: Use, context: int, template: str | None, *, verbose: bool) -> Any:
    settings = _XLLAMACPP.CommonParams()
    settings.model.path = str(path)
    settings.model_alias = {MODEL}
    settings.api_keys = [key]
    settings.chat_template = template or ""
    if use == "embeddings":
        settings.embedding = True
        settings.n_parallel = EMBEDDED_AT_ONCE
        settings.n_ctx = EMBEDDED_AT_ONCE * EMBEDDED_TOKENS
        settings.n_batch = settings.n_ubatch = EMBEDDED_TOKENS
    else:
        settings.n_parallel = SLOTS
        settings.n_ctx = SLOTS * context
        settings.n_batch = BATCH
        settings.n_ubatch = BATCH
    if use == "repeatable":
        settings.n_ubatch = 1
        settings.flash_attn_type = _XLLAMACPP.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.n_gpu_layers = 0
    settings.fit_params = False
    settings.cpuparams.n_threads = count_threads()
    settings.cpuparams.poll = 0
    settings.cpuparams_batch.n_threads = count_threads()
    settings.cpuparams_batch.poll = 0
    settings.n_threads_http = _CONNECTIONS + 2
    settings.cache_ram_mib = 0
    settings.warmup = False
    settings.ui = False
    settings.endpoint_slots = False
    settings.endpoint_metrics = True
    settings.verbosity = 3 if verbose else -1
    return settings


def _message(answer: bytes) -> str:
    try:
        value = msgspec.json.decode(answer)
        error = value.get("error", value)
        return str(error["message"])
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
        return answer.decode(errors="replace")[:500]
