"""Responses of `/completions`, whole or as the chunks of a stream (docs/translation.md#legacy-completions)."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_lambda.errors import GatewayError
from gateway_lambda.generation.choice import Choice, Finish
from gateway_lambda.generation.scores import Score
from gateway_lambda.openai.chunks import DONE, new_id, usage_of

_encode = msgspec.json.Encoder().encode


class CompletionChunks:
    """The chunks of one streamed completion. `echoed`: for each choice the prompt that comes first, or nothing."""

    done = DONE

    def __init__(
        self, model: str, created: int, fingerprint: str | None, echoed: list[str], *, usage: bool, top: int
    ) -> None:
        head = {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": created,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._echoed = echoed
        self._top = top
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if usage else b"]}\n\n"
        self._starts = [self._head + b'{"index":%d,"text":' % index for index in range(len(echoed))]
        self._after_text = b',"logprobs":null,"finish_reason":null}' + self._tail

    def opening(self) -> bytes:
        """The prompts, where they are echoed."""
        return b"".join(self.text(index, prompt) for index, prompt in enumerate(self._echoed) if prompt)

    def text(self, index: int, text: str, scores: list[Score] | None = None) -> bytes:
        """A piece of a choice's text."""
        if scores is None:
            return self._starts[index] + _encode(text) + self._after_text
        logprobs = _encode(completion_logprobs(scores, self._top))
        return self._starts[index] + _encode(text) + b',"logprobs":' + logprobs + b',"finish_reason":null}' + self._tail

    def end(self, index: int, finish: Finish, scores: list[Score] | None = None) -> bytes:
        """Why a choice ended; `scores` that no text came after."""
        logprobs = _encode(completion_logprobs(scores, self._top)) if scores else b"null"
        return (
            self._starts[index]
            + b'"","logprobs":'
            + logprobs
            + b',"finish_reason":"%s"}' % finish.encode()
            + self._tail
        )

    def usage(self, prompt: int, completion: int) -> bytes:
        """The token counts of all choices."""
        return self._head + b'],"usage":' + _encode(usage_of(prompt, completion)) + b"}\n\n"

    def error(self, error: GatewayError) -> bytes:
        """The last event of a stream that fails. No `[DONE]` follows, so that no client takes it for good."""
        return error.event()


def completion(
    model: str,
    created: int,
    fingerprint: str | None,
    choices: list[tuple[str, Choice]],
    usage: tuple[int, int],
    top: int,
) -> bytes:
    """A whole response. `choices`: each with the prompt that is put before it, or nothing."""
    return _encode(
        {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": created,
            "model": model,
            "system_fingerprint": fingerprint,
            "choices": [
                {
                    "index": index,
                    "text": prompt + choice.text,
                    "logprobs": None if choice.scores is None else completion_logprobs(choice.scores, top),
                    "finish_reason": choice.finish,
                }
                for index, (prompt, choice) in enumerate(choices)
            ],
            "usage": usage_of(*usage),
        }
    )


def completion_logprobs(scores: list[Score], top: int) -> dict[str, Any]:
    """`logprobs` of a choice or of a chunk: lists side by side, one item a token."""
    return {
        "tokens": [score.text for score in scores],
        "token_logprobs": [score.logprob for score in scores],
        "top_logprobs": [dict(score.top) for score in scores] if top else None,
        "text_offset": [score.offset for score in scores],
    }
