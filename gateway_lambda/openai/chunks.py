"""Responses in OpenAI's shape: a whole chat completion, and the chunks of a streamed one (translation.md §5, §6.1).

What the chunks of one response have in common is encoded once, so that a chunk costs one encoded string.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from gateway_lambda.tgi.answer import Finish

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


def new_id(prefix: str) -> str:
    """A unique id: `prefix` and 32 hexadecimal digits."""
    return prefix + os.urandom(16).hex()


def usage_of(prompt: int, completion: int) -> dict[str, int]:
    """Token counts."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class ChatChunks:
    """The chunks of one streamed chat completion, each as a whole event."""

    def __init__(self, model: str, created: int, fingerprint: str | None, choices: int, *, usage: bool) -> None:
        head = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if usage else b"]}\n\n"
        self._starts = [self._head + b'{"index":%d,"delta":' % index for index in range(choices)]
        self._before_text = [start + b'{"content":' for start in self._starts]
        self._after_text = b'},"logprobs":null,"finish_reason":null}' + self._tail

    def opening(self) -> bytes:
        """Each choice's role."""
        role = b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'
        return b"".join(start + role + self._tail for start in self._starts)

    def text(self, index: int, text: str) -> bytes:
        """A piece of a choice's text."""
        return self._before_text[index] + _encode(text) + self._after_text

    def end(self, index: int, finish: Finish) -> bytes:
        """Why a choice ended."""
        return self._starts[index] + b'{},"logprobs":null,"finish_reason":"%s"}' % finish.encode() + self._tail

    def usage(self, prompt: int, completion: int) -> bytes:
        """The token counts of all choices."""
        return self._head + b'],"usage":' + _encode(usage_of(prompt, completion)) + b"}\n\n"


def chat_completion(
    model: str, created: int, fingerprint: str | None, choices: list[dict[str, Any]], prompt: int, completion: int
) -> bytes:
    """A whole response."""
    return _encode(
        {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": created,
            "model": model,
            "system_fingerprint": fingerprint,
            "choices": choices,
            "usage": usage_of(prompt, completion),
        }
    )


def chat_choice(index: int, text: str, finish: Finish) -> dict[str, Any]:
    """One choice of a whole response."""
    return {
        "index": index,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": None,
        "finish_reason": finish,
    }
