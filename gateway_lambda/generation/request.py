"""What a client asks for, checked: the same for every dialect and every server."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_lambda.errors import Header, RequestError
from gateway_lambda.generation.answer_parser import AnswerParser, OfferedTools
from gateway_lambda.generation.harmony import HarmonyParser
from gateway_lambda.generation.reasoning import HARMONY, ReasoningParser, ReasoningStart
from gateway_lambda.registry.record import Model


class GenerationRequest(msgspec.Struct):
    """One checked request. It is filled while fields are read and the prompt is rendered; then it does not change."""

    model: Model
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    seed: int | None = None
    stop: list[str] = []
    """The client's stop strings, at most 32, without duplicates."""
    max_tokens: int | None = None
    """The client's limit of new tokens for each choice."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    typical_p: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    watermark: bool = False
    truncate: int | None = None
    """How many tokens of the prompt's end the upstream keeps."""
    logprobs: bool = False
    top_logprobs: int = 0
    grammar: dict[str, Any] | None = None
    """In the form of `/generate`: `type` and `value`."""
    grammar_param: str = ""
    """The field that the grammar comes from."""
    dropped: list[str] = []
    """Unsupported parameters that were ignored, because the record says `unsupported_params: drop`."""

    def parser(self) -> AnswerParser | None:
        """Return a new parser for one choice, if its text can have reasoning or calls of tools."""
        return None

    def unsupported(self, param: str, remedy: str) -> None:
        """Refuse a parameter that is not supported, or note that it is ignored."""
        if self.model.unsupported_params == "drop":
            self.dropped.append(param)
        else:
            raise RequestError(f"{param} is not supported here: {remedy}", "unsupported_parameter", param=param)


class ChatRequest(GenerationRequest):
    """`messages` and `chat_template_kwargs` are checked when they are rendered."""

    messages: Any = None
    reasoning_effort: str | None = None
    chat_template_kwargs: Any = None
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    tools: OfferedTools | None = None
    reasoning: ReasoningStart | None = None
    """How the answers begin, for a model that reasons. `render_prompt` sets it."""

    def parser(self) -> AnswerParser | None:
        answer = None if self.tools is None else self.tools.parser()
        if self.reasoning is None:
            return answer
        if self.reasoning.marks is HARMONY:
            return answer if isinstance(answer, HarmonyParser) else HarmonyParser()
        return ReasoningParser(self.reasoning, answer)


def dropped_header(request: GenerationRequest) -> list[Header]:
    """Return the header that names the ignored parameters, if there are any."""
    return [(b"x-gateway-dropped-params", ", ".join(request.dropped).encode())] if request.dropped else []
