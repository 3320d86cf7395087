"""Responses of `/completions`, whole or as the chunks of a stream (docs/translation.md#legacy-completions)."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_lambda.generation.choice import Choice, Finish
from gateway_lambda.generation.scores import Score
from gateway_lambda.openai.chunks import Chunks, head_of, usage_of

_encode = msgspec.json.Encoder().encode


class CompletionChunks(Chunks):
    """The chunks of one streamed completion. `echoed`: for each choice the prompt that comes first, or nothing."""

    def __init__(
        self, model: str, created: int, fingerprint: str | None, echoed: list[str], *, usage: bool, top: int
    ) -> None:
        super().__init__(head_of("cmpl-", "text_completion", model, created, fingerprint), usage=usage)
        self._echoed = echoed
        self._top = top
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

    def end(self, index: int, finish: Finish, scores: list[Score] | None = None, *, stop: str | None = None) -> bytes:
        """Why a choice ended; `scores` that no text came after. OpenAI does not name the `stop` that ended it."""
        logprobs = _encode(completion_logprobs(scores, self._top)) if scores else b"null"
        return (
            self._starts[index]
            + b'"","logprobs":'
            + logprobs
            + b',"finish_reason":"%s"}' % finish.encode()
            + self._tail
        )


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
            **head_of("cmpl-", "text_completion", model, created, fingerprint),
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
