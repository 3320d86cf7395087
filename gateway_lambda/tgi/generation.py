"""One request's generations: the same prompt, one call of TGI a choice, each on a replica that takes it."""

from __future__ import annotations

from gateway_lambda.openai.request import Request
from gateway_lambda.runs import ReadyModel, Run
from gateway_lambda.tgi.body import encode_body
from gateway_lambda.tgi.client import TgiClient, TokenStream
from gateway_lambda.tgi.info import Facts
from gateway_lambda.tgi.replies import Generated
from gateway_lambda.tgi.stops import Stops
from gateway_lambda.tgi.whole import Choice, read_choice
from gateway_lambda.upstream import Replica


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
        return read_choice(generated, self.stops, self.request.max_tokens)

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
        request = self.request
        if request.frequency_penalty is not None and not facts.takes_grammar:
            request.unsupported("frequency_penalty", "the upstream's version has none; leave it out")
            request.frequency_penalty = None
        prompt = self._prompt
        if self._strips_bos and self.model.record.bos_token and prompt.startswith(self.model.record.bos_token):
            auto = self.model.record.strip_bos == "auto"
            added = await self._client.adds_bos(self._run, replica) if auto else None
            prompt = self.model.template.without_extra_bos(prompt, added)
        self._used = (replica, prompt)
        return encode_body(request, prompt, self.model.stop_strings if self._strips_bos else [], facts, choice)
