"""The upstream of all contenders: fixed answers of TGI and of a server with OpenAI's API.

It is one process over raw sockets. All bytes are encoded before the first request, so an answer costs very little. A
request can set the number of tokens of a stream (`max_new_tokens` or `max_tokens`), and the milliseconds between them
(`seed`, which every gateway passes on). An answer that is not streamed is always the same.
"""

from __future__ import annotations

import asyncio
import re
import sys
from functools import cache

import uvloop

from bench.raw_http import LAST_CHUNK, STREAM_HEAD, Connection, event, plain

TOKEN = "lorem"
"""In the text of every token; the load generator counts it."""
_TEXTS = [f" {TOKEN}{letter}" for letter in "abcdefgh"]
"""Texts of tokens, in turn: LiteLLM ends a stream whose chunks are all alike."""
END = "<|im_end|>"
BATCH = 256
"""Texts in a request for embeddings."""
_PLAIN_TOKENS = 16
_TOKENS = re.compile(rb'"max_(?:new_|completion_)?tokens": ?(\d+)')
_MILLISECONDS = re.compile(rb'"seed": ?(\d+)')
_STREAM = re.compile(rb'"stream": ?true')


def _tgi_token(text: str, special: bool) -> dict[str, object]:
    return {"id": 4321, "text": text, "logprob": -0.31, "special": special}


def _tgi_details(tokens: int) -> dict[str, object]:
    return {"finish_reason": "eos_token", "generated_tokens": tokens, "seed": 42, "input_length": 21}


def _openai_chunk(delta: object, finish: str | None) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [choice]}


_INFO = plain(
    {
        "model_id": "bench",
        "model_sha": "abc",
        "version": "3.3.6",
        "max_input_tokens": 4095,
        "max_total_tokens": 4096,
        "max_stop_sequences": 4,
        "max_best_of": 2,
        "docker_label": None,
    }
)
_TOKENIZED = plain([{"id": 1, "text": "<s>", "start": 0, "stop": 0}, {"id": 2, "text": "a", "start": 0, "stop": 1}])
_GENERATED = plain(
    {
        "generated_text": f" {TOKEN}" * _PLAIN_TOKENS,
        "details": {
            **_tgi_details(_PLAIN_TOKENS + 1),
            "prefill": [],
            "tokens": [_tgi_token(f" {TOKEN}", False)] * _PLAIN_TOKENS + [_tgi_token(END, True)],
        },
    },
    b"x-prompt-tokens: 21",
)
_COMPLETED = plain(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": f" {TOKEN}" * _PLAIN_TOKENS},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": _PLAIN_TOKENS, "total_tokens": 21 + _PLAIN_TOKENS},
    }
)
_EMBEDDED = plain(
    {
        "object": "list",
        "data": [
            {"object": "embedding", "embedding": "AACAPwAAAAAAAIC/" * 256, "index": place} for place in range(BATCH)
        ],
        "model": TOKEN,
        "usage": {"prompt_tokens": 12 * BATCH, "total_tokens": 12 * BATCH},
    }
)
"""768 numbers of 32 bits for each text, in base64, as the openai SDK asks for them: 1.07 MB."""
_TGI_TOKENS = [
    event({"index": 1, "token": _tgi_token(text, False), "generated_text": None, "details": None}, b"")
    for text in _TEXTS
]
_OPENAI_TOKENS = [event(_openai_chunk({"content": text}, None), b" ") for text in _TEXTS]
_OPENAI_ROLE = event(_openai_chunk({"role": "assistant", "content": ""}, None), b" ")
_OPENAI_LAST = event(_openai_chunk({}, "stop"), b" ") + event(b"[DONE]", b" ") + LAST_CHUNK

_WHOLE = {
    b"/generate": _GENERATED,
    b"/tokenize": _TOKENIZED,
    b"/v1/chat/completions": _COMPLETED,
    b"/v1/embeddings": _EMBEDDED,
}


@cache
def _tgi_last(tokens: int) -> bytes:
    last = {
        "index": tokens + 1,
        "token": _tgi_token(END, True),
        "generated_text": f" {TOKEN}" * tokens,
        "details": _tgi_details(tokens + 1),
    }
    return event(last, b"") + LAST_CHUNK


class Steps:
    """The steps of a model server: all streams of one speed get their next token in the same step, as in a batch."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, list[Canned]] = {}

    def add(self, stream: Canned, milliseconds: int) -> None:
        """Send `stream` a token every `milliseconds`, from the next step on."""
        streams = self._streams.setdefault(milliseconds, [])
        streams.append(stream)
        if len(streams) == 1:
            self._loop.call_later(milliseconds / 1000, self._step, milliseconds)

    def _step(self, milliseconds: int) -> None:
        streams = self._streams[milliseconds]
        streams[:] = [stream for stream in streams if stream.step()]
        if streams:
            self._loop.call_later(milliseconds / 1000, self._step, milliseconds)


class Canned(Connection):
    """One connection, whose streams get their tokens from `steps`."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps
        self._left = 0
        self._events: list[bytes] = []
        self._last = b""

    def answer(self, path: bytes, body: bytes) -> None:
        if path == b"/generate_stream":
            tokens = _number(_TOKENS, body, _PLAIN_TOKENS)
            self._stream(STREAM_HEAD, _TGI_TOKENS, tokens, _tgi_last(tokens), body)
        elif path == b"/v1/chat/completions" and _STREAM.search(body):
            tokens = _number(_TOKENS, body, _PLAIN_TOKENS)
            self._stream(STREAM_HEAD + _OPENAI_ROLE, _OPENAI_TOKENS, tokens, _OPENAI_LAST, body)
        else:
            self.write(_WHOLE.get(path, _INFO))

    def _stream(self, head: bytes, events: list[bytes], tokens: int, last: bytes, body: bytes) -> None:
        self.write(head + events[0])
        self._left = tokens - 1
        self._events = events
        self._last = last
        self._steps.add(self, _number(_MILLISECONDS, body, 2))

    def step(self) -> bool:
        """Write the stream's next token, and return whether more tokens follow."""
        if self._transport is None:
            return False
        self._left -= 1
        self.write(self._events[self._left % len(self._events)] if self._left >= 0 else self._last)
        return self._left >= 0


def _number(pattern: re.Pattern[bytes], body: bytes, otherwise: int) -> int:
    found = pattern.search(body)
    return int(found[1]) if found else otherwise


async def _serve() -> None:
    steps = Steps()
    server = await asyncio.get_running_loop().create_server(lambda: Canned(steps), "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
