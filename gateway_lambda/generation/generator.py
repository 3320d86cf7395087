"""What generates: the port between the dialects of clients and the model servers.

A dialect knows a `Generator` and nothing behind it. `tgi/generator.py` implements it for TGI.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.choice import Choice
from gateway_lambda.generation.ready_model import ReadyModel
from gateway_lambda.generation.request import GenerationRequest
from gateway_lambda.generation.stops import Stops
from gateway_lambda.generation.tokens import TokenStream


class Answered(Protocol):
    """A choice, with the answer that it comes from."""

    @property
    def choice(self) -> Choice: ...
    @property
    def likelihood(self) -> float:
        """How likely the answer is; the highest is the best. Raises `ServiceError`."""
        ...


class Generation(Protocol):
    """The answers to one prompt: one for each choice, each from any replica."""

    prompt_tokens: int | None
    """The server's count; None before it is known."""

    @property
    def request(self) -> GenerationRequest: ...
    @property
    def stops(self) -> Stops:
        """The texts that end an answer."""
        ...

    @property
    def limit(self) -> int | None:
        """The most tokens of a choice, once it has begun. None: to the end of the context."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """Those of the replica of the last choice that began. Before the first one, nothing is known."""
        ...

    async def whole(self, choice: int) -> Answered:
        """Return a whole answer. Raises `GatewayError`."""
        ...

    async def stream(self, choice: int) -> TokenStream:
        """Return a stream of tokens whose first event is there. Raises `GatewayError`."""
        ...

    async def count_prompt(self) -> int:
        """Return the tokens of the prompt; 0 if the server does not say it."""
        ...

    async def measure_prompt(self) -> int:
        """Return the tokens of the prompt, without an answer. Raises `GatewayError` if no server can count them."""
        ...


class Generator(Protocol):
    """A model whose replicas generate."""

    @property
    def model(self) -> ReadyModel: ...
    @property
    def total_tokens(self) -> int | None:
        """How long prompt and answer can be together, as far as a replica has said."""
        ...

    def ask_capabilities(self) -> Awaitable[Capabilities]:
        """Return what one of the replicas says of itself. Raises `ServiceError` if none can be reached."""
        ...

    def generation(self, request: GenerationRequest, prompt: str, *, chat: bool) -> Generation:
        """Return the answers to `prompt`, none of which has begun.

        `chat`: the prompt comes from a template, so that its BOS may be one too many, and the model's own ends are
        looked for. Otherwise the prompt goes as it is, and of the model's ends only control tokens end its answer.
        """
        ...
