"""One request's generations: the same prompt, one call of TGI a choice, each on a replica that takes it."""

from __future__ import annotations

from gateway_lambda.errors import unsupported_value
from gateway_lambda.openai.request import Request
from gateway_lambda.runs import ReadyModel, Run
from gateway_lambda.tgi.body import encode_body
from gateway_lambda.tgi.client import TgiClient, TokenStream
from gateway_lambda.tgi.info import Facts
from gateway_lambda.tgi.replies import Generated
from gateway_lambda.tgi.stops import Stops
from gateway_lambda.tgi.whole import Choice, read_choice
from gateway_lambda.upstream.replica import Replica

_GRAMMAR_PIECE = 1024
"""Tokens. From version 3.0 on a grammar starts anew behind them, so that longer answers break."""


class Generation:
    """What is asked of the upstream for one prompt.

    `strips_bos`: the prompt comes from a template, so that a BOS in front may be one too many.
    """

    __slots__ = (
        "_client",
        "_grammar",
        "_prompt",
        "_run",
        "_strips_bos",
        "_used",
        "limit",
        "model",
        "prompt_tokens",
        "request",
        "stops",
    )

    def __init__(
        self, run: Run, model: ReadyModel, client: TgiClient, request: Request, prompt: str, *, strips_bos: bool
    ) -> None:
        self.model = model
        self.request = request
        self.stops: Stops = model.stops_with(request.stop)
        self.limit: int | None = None
        """New tokens a choice, which the gateway enforces; None: until the end of the context."""
        self.prompt_tokens: int | None = None
        """As the upstream counted them; None until it has said so."""
        self._run = run
        self._client = client
        self._prompt = prompt
        self._strips_bos = strips_bos
        self._grammar = request.grammar is not None
        self._used: tuple[Replica, str] | None = None

    @property
    def facts(self) -> Facts:
        """What the replica is that was asked last; before that, nothing is known."""
        return self._run.known[self._used[0]].facts if self._used else Facts()

    async def whole(self, choice: int) -> Choice:
        """A whole answer. Raises `GatewayError`."""

        async def ask(replica: Replica) -> tuple[Generated, int | None]:
            body = await self._body(replica, choice)
            return await self._client.generate(self._run, replica, body, grammar=self._grammar)

        generated, prompt_tokens = await self._client.on_a_replica(self._run, ask)
        if prompt_tokens is None and generated.details and generated.details.prefill:
            prompt_tokens = len(generated.details.prefill)
        if prompt_tokens is not None:
            self.prompt_tokens = prompt_tokens
        return read_choice(generated, self.stops, self.limit)

    async def stream(self, choice: int) -> TokenStream:
        """A stream of tokens whose first event is there. Raises `GatewayError`."""

        async def ask(replica: Replica) -> TokenStream:
            body = await self._body(replica, choice)
            return await self._client.stream(self._run, replica, body, grammar=self._grammar)

        return await self._client.on_a_replica(self._run, ask)

    async def count_prompt(self) -> int:
        """The prompt's tokens: as the upstream said with its answer, else asked of it."""
        if self.prompt_tokens is None and self._used:
            self.prompt_tokens = await self._client.count_tokens(self._run, *self._used)
        return self.prompt_tokens or 0

    async def _body(self, replica: Replica, choice: int) -> bytes:
        facts = await self._client.facts(self._run, replica)
        self._check_version(facts)
        prompt = self._prompt
        if self._strips_bos and self.model.record.bos_token and prompt.startswith(self.model.record.bos_token):
            auto = self.model.record.strip_bos == "auto"
            added = await self._client.adds_bos(self._run, replica) if auto else None
            prompt = self.model.template.without_extra_bos(prompt, added)
        self._used = (replica, prompt)
        self.limit = await self._limit(facts)
        stop_strings = self.model.stop_strings if self._strips_bos else []
        return encode_body(self.request, prompt, self.limit, stop_strings, facts, choice)

    def _check_version(self, facts: Facts) -> None:
        if facts.takes_grammar:
            return
        request = self.request
        if request.frequency_penalty is not None:
            request.unsupported("frequency_penalty", "the upstream's version has none; leave it out")
            request.frequency_penalty = None
        if request.grammar is not None:
            raise unsupported_value(request.grammar_param, "the upstream's version cannot hold answers to a grammar")

    async def _limit(self, facts: Facts) -> int | None:
        limit = self.request.max_tokens or self.model.record.default_max_tokens
        if self.request.grammar is not None and self.request.max_tokens is None and facts.restarts_grammar:
            limit = min(limit or _GRAMMAR_PIECE, _GRAMMAR_PIECE)
        if limit is not None and self.model.record.clamp_max_tokens and facts.max_total_tokens is not None:
            return max(1, min(limit, facts.max_total_tokens - await self.count_prompt()))
        return limit
