"""`/v1/chat/completions` as TGI itself serves it (router/src/chat.rs), which differs from OpenAI's API in places.

`stop` is a list and stays in the text, `top_p: 1` is refused, `n` and `logit_bias` have no effect, ids are empty, and
each chunk has a role.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from msgspec import Struct

from local.model_server.answers import Answer, Answers, write_event
from local.model_server.errors import InferError, ValidationError
from local.model_server.generation import Step
from local.model_server.requests import U32, GenerateRequest, Grammar, Natural, Parameters

_PRESENCE = 2.0
"""TGI adds this to `presence_penalty` and takes the sum as `repetition_penalty`, so 0 is a strong penalty there."""
DONE = b"data: [DONE]\n\n"


class StreamOptions(Struct, frozen=True):
    """`stream_options`."""

    include_usage: bool = False


class ChatRequest(Struct, frozen=True, kw_only=True):
    """The body of a request. Other fields have no effect, as in TGI."""

    messages: list[dict[str, Any]]
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    max_tokens: U32 | None = None
    presence_penalty: float | None = None
    response_format: Grammar | None = None
    seed: Natural | None = None
    stop: list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    tool_choice: Any = None
    tools: list[Any] | None = None
    top_logprobs: U32 | None = None
    top_p: float | None = None

    def as_generation(self, prompt: str) -> GenerateRequest:
        """Return the request for the answer to the messages, which `prompt` has.

        Raises:
            ValidationError: the stand-in cannot do this.
        """
        if self.tools and self.tool_choice != "none":
            raise ValidationError(
                "`tools` is not supported by the stand-in at its own address: call tools through the gateway, whose "
                "OpenAI API serves them"
            )
        greedy = self.temperature == 0
        parameters = Parameters(
            do_sample=not greedy,
            temperature=None if greedy else self.temperature,
            max_new_tokens=self.max_tokens,
            repetition_penalty=None if self.presence_penalty is None else self.presence_penalty + _PRESENCE,
            frequency_penalty=self.frequency_penalty,
            top_p=self.top_p,
            stop=tuple(self.stop or ()),
            seed=self.seed,
            top_n_tokens=self.top_logprobs,
            grammar=self.response_format,
        )
        return GenerateRequest(inputs=prompt, parameters=parameters)


class Chat:
    """Writes the answers to one request. `info` is what `/info` answers."""

    def __init__(self, request: ChatRequest, answers: Answers, info: Mapping[str, Any]) -> None:
        self._request = request
        self._options = request.stream_options or StreamOptions()
        self._answers = answers
        self._served = {"model": info["model_id"], "system_fingerprint": f"{info['version']}-native"}

    def completion(self, answer: Answer) -> dict[str, Any]:
        """Return the answer as a whole."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": answer.text},
            "logprobs": self._logprobs(answer.steps),
            "finish_reason": _finish(answer),
        }
        return self._written("chat.completion", [choice], answer)

    async def events(self, steps: AsyncGenerator[tuple[Step, Answer | None], None]) -> AsyncGenerator[bytes, None]:
        """Write the answer token by token. An error is an event too, and `[DONE]` comes in any case."""
        try:
            async with aclosing(steps):
                async for step, answer in steps:
                    yield write_event(self._written("chat.completion.chunk", [self._choice(step, answer)], None))
                    if (
                        answer is not None
                        and self._request.stream_options
                        and self._request.stream_options.include_usage
                    ):
                        yield write_event(self._written("chat.completion.chunk", [], answer))
        except InferError as error:
            yield write_event({"error": {"message": str(error), "http_status_code": 422}})
        yield DONE

    def _choice(self, step: Step, answer: Answer | None) -> dict[str, Any]:
        return {
            "index": 0,
            "delta": {"role": "assistant", "content": "" if self._answers.is_special(step) else step.text},
            "logprobs": self._logprobs([step]),
            "finish_reason": None if answer is None else _finish(answer),
        }

    def _logprobs(self, steps: Sequence[Step]) -> dict[str, Any] | None:
        return {"content": [self._answers.chat_token(step) for step in steps]} if self._request.logprobs else None

    def _written(self, kind: str, choices: Sequence[Any], answer: Answer | None) -> dict[str, Any]:
        usage = answer and {
            "prompt_tokens": len(answer.prompt),
            "completion_tokens": len(answer.steps),
            "total_tokens": len(answer.prompt) + len(answer.steps),
        }
        return {
            "object": kind,
            "id": "",
            "created": int(time.time()),
            **self._served,
            "choices": choices,
            "usage": usage,
        }


def models(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of `/v1/models`."""
    model = {"id": info["model_id"], "object": "model", "created": 0, "owned_by": info["model_id"]}
    return {"object": "list", "data": [model]}


def _finish(answer: Answer) -> str:
    return "stop" if answer.finish == "eos_token" else answer.finish
