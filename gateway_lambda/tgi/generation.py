"""One request's generations: the same prompt, one call of TGI a choice, each on a replica that takes it."""

from __future__ import annotations

from gateway_lambda.openai.request import Request
from gateway_lambda.runs import ReadyModel, Run
from gateway_lambda.tgi.body import encode_body
from gateway_lambda.tgi.client import TgiClient
from gateway_lambda.tgi.info import Facts
from gateway_lambda.tgi.replies import Generated, count_tokens
from gateway_lambda.tgi.stops import Stops
from gateway_lambda.tgi.token_stream import TokenStream
from gateway_lambda.tgi.whole import Choice, mean_logprob, read_choice
from gateway_lambda.tools.response_format import Budget, budget_with_grammar
from gateway_lambda.upstream.replica import Replica


class Answered:
    """A choice, and what it was read from."""

    __slots__ = ("_generated", "choice")

    def __init__(self, choice: Choice, generated: Generated) -> None:
        self.choice = choice
        self._generated = generated

    @property
    def likelihood(self) -> float:
        """By which TGI ranks answers. Raises `ServiceError`."""
        return mean_logprob(self._generated)


class Generation:
    """What is asked of the upstream for one prompt.

    `chat`: the prompt comes from a template, so that a BOS in front may be one too many, and the model's own end
    markers are looked for. Otherwise the prompt goes as it is, and only control tokens end its answer by themselves.
    """

    __slots__ = (
        "_chat",
        "_client",
        "_grammar",
        "_prompt",
        "_run",
        "_used",
        "limit",
        "model",
        "prompt_tokens",
        "request",
        "stops",
    )

    def __init__(
        self, run: Run, model: ReadyModel, client: TgiClient, request: Request, prompt: str, *, chat: bool
    ) -> None:
        self.model = model
        self.request = request
        self.stops = model.stops_with(request.stop) if chat else Stops(request.stop, model.ends)
        self.limit: int | None = None
        """New tokens a choice, which the gateway enforces; None: until the end of the context."""
        self.prompt_tokens: int | None = None
        """As the upstream counted them; None until it has said so."""
        self._run = run
        self._client = client
        self._prompt = prompt
        self._chat = chat
        self._grammar = request.grammar_param if request.grammar is not None else None
        self._used: tuple[Replica, str] | None = None

    @property
    def facts(self) -> Facts:
        """What the replica is that was asked last; before that, nothing is known."""
        return (self._used and self._run.known[self._used[0]].facts) or Facts()

    async def whole(self, choice: int) -> Answered:
        """A whole answer. Raises `GatewayError`."""

        async def ask(replica: Replica) -> tuple[Generated, int | None]:
            body = await self._body(replica, choice)
            return await self._client.generate(self._run, replica, body, grammar=self._grammar)

        generated, prompt_tokens = await self._client.on_a_replica(self._run, ask)
        if prompt_tokens is None and generated.details:
            prompt_tokens = count_tokens(bytes(generated.details.prefill)) or None
        if prompt_tokens is not None:
            self.prompt_tokens = prompt_tokens
        request = self.request
        top = request.top_logprobs if request.logprobs else None
        read = read_choice(generated, self.stops, self.limit, top, request.parser())
        return Answered(read, generated)

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
        if self._chat and self.model.record.bos_token and prompt.startswith(self.model.record.bos_token):
            auto = self.model.record.strip_bos == "auto"
            added = await self._client.adds_bos(self._run, replica) if auto else None
            prompt = self.model.template.without_extra_bos(prompt, added)
        self._used = (replica, prompt)
        send, self.limit = await self._budget(facts)
        stop_strings = self.model.stop_strings if self._chat else []
        return encode_body(self.request, prompt, send, stop_strings, facts, choice)

    def _check_version(self, facts: Facts) -> None:
        if facts.takes_grammar:
            return
        request = self.request
        if request.frequency_penalty is not None:
            request.unsupported("frequency_penalty", "this version of the upstream does not have it; leave it out")
            request.frequency_penalty = None

    async def _budget(self, facts: Facts) -> Budget:
        asked, default = self.request.max_tokens, self.model.record.default_max_tokens
        if self.request.grammar is not None:
            budget = budget_with_grammar(asked, default, facts)
        else:
            budget = Budget(asked or default, asked or default)
        if budget.send is None or facts.max_total_tokens is None or not self.model.record.clamp_max_tokens:
            return budget
        room = max(1, facts.max_total_tokens - await self.count_prompt())
        return Budget(min(budget.send, room), min(budget.keep or room, room))
