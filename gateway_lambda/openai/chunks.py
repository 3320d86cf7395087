"""Chat completions in OpenAI's form, whole or as the chunks of a stream (docs/translation.md#streams).

The parts that all chunks of a response share are encoded once, so that a chunk costs one encoded string.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from gateway_lambda.errors import GatewayError
from gateway_lambda.generation.choice import Choice, Finish
from gateway_lambda.generation.deltas import Delta
from gateway_lambda.generation.scored_token import scored_token
from gateway_lambda.generation.scores import Score
from gateway_lambda.openai.functions import function_delta, function_message
from gateway_lambda.openai.messages import assistant_message, stream_delta

_encode = msgspec.json.Encoder().encode


def head_of(prefix: str, kind: str, model: str, created: int, fingerprint: str | None) -> dict[str, Any]:
    """The first fields of a response. Its id is `prefix` and 32 hexadecimal digits."""
    return {
        "id": prefix + os.urandom(16).hex(),
        "object": kind,
        "created": created,
        "model": model,
        "system_fingerprint": fingerprint,
    }


def usage_of(prompt: int, completion: int) -> dict[str, int]:
    """Token counts."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class Chunks:
    """What the chunks of all streams have in common. Each is a whole event. `head`: the fields before the choices."""

    done = b"data: [DONE]\n\n"

    def __init__(self, head: dict[str, Any], *, usage: bool) -> None:
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if usage else b"]}\n\n"

    def usage(self, prompt: int, completion: int) -> bytes:
        """The token counts of all choices."""
        return self._head + b'],"usage":' + _encode(usage_of(prompt, completion)) + b"}\n\n"

    def error(self, error: GatewayError) -> bytes:
        """The last event of a stream that fails. No `[DONE]` follows, so that no client takes it for good."""
        return error.event()


class ChatChunks(Chunks):
    """The chunks of one streamed chat completion."""

    def __init__(
        self,
        model: str,
        created: int,
        fingerprint: str | None,
        choices: int,
        *,
        usage: bool,
        functions: bool = False,
    ) -> None:
        super().__init__(head_of("chatcmpl-", "chat.completion.chunk", model, created, fingerprint), usage=usage)
        self._functions = functions
        self._starts = [self._head + b'{"index":%d,"delta":' % index for index in range(choices)]
        self._before_text = [start + b'{"content":' for start in self._starts]
        self._after_text = b'},"logprobs":null,"finish_reason":null}' + self._tail

    def opening(self) -> bytes:
        """Each choice's role."""
        role = b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}'
        return b"".join(start + role + self._tail for start in self._starts)

    def text(self, index: int, text: str, scores: list[Score] | None = None) -> bytes:
        """A piece of a choice's text."""
        if scores is None:
            return self._before_text[index] + _encode(text) + self._after_text
        logprobs = _encode(chat_logprobs(scores))
        after = b'},"logprobs":' + logprobs + b',"finish_reason":null}' + self._tail
        return self._before_text[index] + _encode(text) + after

    def delta(self, index: int, delta: Delta, scores: list[Score] | None = None) -> bytes:
        """A piece of a choice's reasoning, of its text, or of its calls."""
        logprobs = _encode(chat_logprobs(scores)) if scores else b"null"
        after = b',"logprobs":' + logprobs + b',"finish_reason":null}' + self._tail
        shown = function_delta(delta) if self._functions else stream_delta(delta)
        return self._starts[index] + _encode(shown) + after

    def end(
        self,
        index: int,
        finish: Finish,
        scores: list[Score] | None = None,
        *,
        calls: bool = False,
        stop: str | None = None,
    ) -> bytes:
        """Return the last chunk of a choice. `scores`: those after the last text. `calls`: the choice called tools.

        OpenAI does not name the `stop` that ended it.
        """
        logprobs = _encode(chat_logprobs(scores)) if scores else b"null"
        reason = finish_reason(finish, calls=calls, functions=self._functions).encode()
        after = b'{},"logprobs":' + logprobs + b',"finish_reason":"%s"}' % reason
        return self._starts[index] + after + self._tail


def chat_completion(
    model: str,
    created: int,
    fingerprint: str | None,
    choices: list[Choice],
    prompt: int,
    completion: int,
    *,
    functions: bool = False,
) -> bytes:
    """A whole response."""
    return _encode(
        {
            **head_of("chatcmpl-", "chat.completion", model, created, fingerprint),
            "choices": [_chat_choice(index, choice, functions=functions) for index, choice in enumerate(choices)],
            "usage": usage_of(prompt, completion),
        }
    )


def finish_reason(finish: Finish, *, calls: bool, functions: bool = False) -> str:
    """Return OpenAI's word for the reason why a choice ended."""
    if not calls or finish != "stop":
        return finish
    return "function_call" if functions else "tool_calls"


def chat_logprobs(scores: list[Score]) -> dict[str, Any]:
    """`logprobs` of a choice or of a chunk."""
    return {"content": [scored_token(score) for score in scores], "refusal": None}


def _chat_choice(index: int, choice: Choice, *, functions: bool) -> dict[str, Any]:
    called = choice.called
    if called is None:
        message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    else:
        message = function_message(called) if functions else assistant_message(called)
    if choice.reasoning is not None:
        message["reasoning_content"] = choice.reasoning
    return {
        "index": index,
        "message": message,
        "logprobs": None if choice.scores is None else chat_logprobs(choice.scores),
        "finish_reason": finish_reason(choice.finish, calls=called is not None, functions=functions),
    }
