"""The fields of legacy `/completions` alone (docs/translation.md#legacy-completions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway_lambda.errors import RequestError, invalid_type, invalid_value, unsupported_value
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.field_rows import Row, read_fields
from gateway_lambda.generation.fields import boolean, integer, sequence, string
from gateway_lambda.generation.request import GenerationRequest
from gateway_lambda.generation.sampling_fields import limit_of_tokens
from gateway_lambda.openai.shared_fields import OTHER_FIELDS, SHARED_ROWS, stream_options_alone
from gateway_lambda.registry.record import Model
from gateway_lambda.templates import MessagesRefused
from gateway_lambda.templates.images import ImageGuard
from gateway_lambda.tools.answer_format import read_format

_MAX_PROMPTS = 64
_DEFAULT_MAX_TOKENS = 16
"""The default at OpenAI."""


class CompletionRequest(GenerationRequest):
    """`best_of`: how many answers the gateway makes for each prompt. It returns the `n` most likely ones."""

    prompts: Sequence[str] = ()
    best_of: int | None = None
    echo: bool = False


def read_completion(body: Mapping[str, Any], model: Model) -> CompletionRequest:
    """Return the request in `body` to `model`. Raises `RequestError`."""
    request = CompletionRequest(model=model)
    read_fields(request, body, _ROWS, OTHER_FIELDS)
    if not request.stream and body.get("stream_options") is not None:
        raise stream_options_alone()
    if not request.prompts:
        raise invalid_type("prompt", body.get("prompt"), "a string or a list of strings")
    if request.max_tokens is None:
        request.max_tokens = _DEFAULT_MAX_TOKENS
    if request.echo and request.logprobs:
        raise unsupported_value(
            "echo",
            "found true together with logprobs, but the prompt has no log-probabilities here; leave one of them out",
        )
    if request.best_of is not None and request.best_of < request.n:
        raise invalid_value("best_of", request.best_of, f"at least the value of n, which is {request.n}")
    if request.stream and request.best_of is not None and request.best_of > request.n:
        raise unsupported_value(
            "best_of",
            "the gateway finds the best answers only at the end, so it cannot stream them; leave out stream or best_of",
        )
    return request


def read_completion_format(request: CompletionRequest, body: Mapping[str, Any], capabilities: Capabilities) -> None:
    """Take what the answer must look like, for an upstream of which `capabilities` are known. Raises `RequestError`."""
    request.grammar, request.grammar_param = read_format(body, request.model, capabilities)


def _prompt(request: CompletionRequest, value: Any) -> None:
    prompts = [value] if type(value) is str else sequence(value, "prompt")
    if not 1 <= len(prompts) <= _MAX_PROMPTS:
        raise invalid_value("prompt", value, f"1 to {_MAX_PROMPTS} strings")
    for prompt in prompts:
        if type(prompt) is int or type(prompt) is list:
            raise RequestError(
                "prompt: found token ids, but the upstream takes only text; send strings",
                "invalid_type",
                param="prompt",
            )
        if not string(prompt, "prompt"):
            raise invalid_value("prompt", prompt, "strings that are not empty")
        _check_images(request.model, prompt)
    request.prompts = prompts


def _check_images(model: Model, prompt: str) -> None:
    if not model.vision:
        return
    try:
        images = ImageGuard(vision=True, hosts=frozenset(host.lower() for host in model.image_hosts))
        images.check_written(prompt, param="prompt")
    except MessagesRefused as error:
        raise RequestError(error.message, error.code, param=error.param) from None


def _max_tokens(request: CompletionRequest, value: Any) -> None:
    request.max_tokens = limit_of_tokens(value, "max_tokens")


def _best_of(request: CompletionRequest, value: Any) -> None:
    request.best_of = integer(value, "best_of", 1, request.model.max_n)


def _echo(request: CompletionRequest, value: Any) -> None:
    request.echo = boolean(value, "echo")


def _logprobs(request: CompletionRequest, value: Any) -> None:
    request.top_logprobs = integer(value, "logprobs", 0, 5)
    request.logprobs = True


def _suffix(request: CompletionRequest, value: Any) -> None:
    if string(value, "suffix"):
        request.unsupported("suffix", "the upstream cannot write text before a suffix; leave it out")


_ROWS: Mapping[str, Row] = {
    **SHARED_ROWS,
    "prompt": _prompt,
    "max_tokens": _max_tokens,
    "best_of": _best_of,
    "echo": _echo,
    "logprobs": _logprobs,
    "suffix": _suffix,
}
