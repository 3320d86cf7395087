"""The generations of one prompt: one call of TGI for each choice, each on any replica."""

from __future__ import annotations

from gateway_lambda.errors import NO_RETRY, ServiceError
from gateway_lambda.generation.budget import Budget, budget_with_grammar
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.choice import Choice
from gateway_lambda.generation.ready_model import ReadyModel
from gateway_lambda.generation.request import GenerationRequest
from gateway_lambda.generation.stops import Stops
from gateway_lambda.tgi.body import encode_body
from gateway_lambda.tgi.client import TgiClient
from gateway_lambda.tgi.generated_choice import mean_logprob, read_choice
from gateway_lambda.tgi.replies import Generated, count_tokens
from gateway_lambda.tgi.stream import TgiStream
from gateway_lambda.upstream.replica import Replica

_UNKNOWN = Capabilities()


class GeneratedChoice:
    """A choice, with the answer that it comes from."""

    __slots__ = ("_generated", "choice")

    def __init__(self, choice: Choice, generated: Generated) -> None:
        self.choice = choice
        self._generated = generated

    @property
    def likelihood(self) -> float:
        """The number by which TGI ranks answers. Raises `ServiceError`."""
        return mean_logprob(self._generated)


class TgiGeneration:
    """The requests to the replicas for one prompt: a `Generation` (`generation/generator.py`).

    `chat`: the prompt comes from a template, so that its BOS may be one too many, and the model's own ends are looked
    for. Otherwise the prompt goes as it is, and of the model's ends only control tokens end its answer.
    """

    __slots__ = (
        "_chat",
        "_client",
        "_grammar",
        "_model",
        "_prompt",
        "_used",
        "capabilities",
        "limit",
        "prompt_tokens",
        "request",
        "stops",
    )

    def __init__(
        self, client: TgiClient, model: ReadyModel, request: GenerationRequest, prompt: str, *, chat: bool
    ) -> None:
        self._model = model
        self.request = request
        self.stops = model.stops_with(request.stop) if chat else Stops(request.stop, model.ends)
        self.limit: int | None = None
        """The limit of new tokens for each choice, which the gateway enforces. None: to the end of the context."""
        self.prompt_tokens: int | None = None
        """The count of the upstream; None before it is known."""
        self.capabilities = _UNKNOWN
        """Those of the replica of the last request."""
        self._client = client
        self._prompt = prompt
        self._chat = chat
        self._grammar = request.grammar_param if request.grammar is not None else None
        self._used: tuple[Replica, str] | None = None

    async def whole(self, choice: int) -> GeneratedChoice:
        """Return a whole answer. Raises `GatewayError`."""

        async def ask(replica: Replica) -> tuple[Generated, int | None]:
            body = await self._body(replica, choice)
            return await self._client.generate(replica, body, grammar=self._grammar)

        generated, prompt_tokens = await self._client.on_a_replica(ask)
        if prompt_tokens is None and generated.details:
            prompt_tokens = count_tokens(bytes(generated.details.prefill)) or None
        if prompt_tokens is not None:
            self.prompt_tokens = prompt_tokens
        request = self.request
        top = request.top_logprobs if request.logprobs else None
        read = read_choice(generated, self.stops, self.limit, top, request.parser())
        return GeneratedChoice(read, generated)

    async def stream(self, choice: int) -> TgiStream:
        """Return a stream of tokens whose first event is there. Raises `GatewayError`."""

        async def ask(replica: Replica) -> TgiStream:
            body = await self._body(replica, choice)
            return await self._client.stream(replica, body, grammar=self._grammar)

        return await self._client.on_a_replica(ask)

    async def count_prompt(self) -> int:
        """Return the tokens of the prompt: the count in the upstream's answer, or that of `/tokenize`."""
        if self.prompt_tokens is None and self._used:
            self.prompt_tokens = await self._client.count_tokens(*self._used)
        return self.prompt_tokens or 0

    async def measure_prompt(self) -> int:
        """Return the tokens of the prompt, without an answer. Raises `GatewayError`."""

        async def ask(replica: Replica) -> int:
            return await self._client.count_tokens(replica, await self._text_for(replica))

        count = await self._client.on_a_replica(ask)
        if not count:
            raise ServiceError(
                500,
                "the upstream did not count the tokens: /tokenize gave no answer",
                "upstream_error",
                headers=(NO_RETRY,),
            )
        return count

    async def _text_for(self, replica: Replica) -> str:
        """The prompt as this replica gets it."""
        prompt = self._prompt
        if self._chat and self._model.record.bos_token and prompt.startswith(self._model.record.bos_token):
            auto = self._model.record.strip_bos == "auto"
            added = await self._client.adds_bos(replica) if auto else None
            prompt = self._model.template.without_extra_bos(prompt, added)
        return prompt

    async def _body(self, replica: Replica, choice: int) -> bytes:
        capabilities = self.capabilities = await self._client.capabilities(replica)
        self._check_version(capabilities)
        prompt = await self._text_for(replica)
        self._used = (replica, prompt)
        send, self.limit = await self._budget(capabilities)
        stop_strings = self._model.stop_strings if self._chat else []
        return encode_body(self.request, prompt, send, stop_strings, capabilities, choice)

    def _check_version(self, capabilities: Capabilities) -> None:
        if capabilities.takes_grammar:
            return
        request = self.request
        if request.frequency_penalty is not None:
            request.unsupported("frequency_penalty", "this version of the upstream does not have it; leave it out")
            request.frequency_penalty = None

    async def _budget(self, capabilities: Capabilities) -> Budget:
        asked, default = self.request.max_tokens, self._model.record.default_max_tokens
        if self.request.grammar is not None:
            budget = budget_with_grammar(asked, default, capabilities)
        else:
            budget = Budget(asked or default, asked or default)
        if budget.send is None or capabilities.max_total_tokens is None or not self._model.record.clamp_max_tokens:
            return budget
        room = max(1, capabilities.max_total_tokens - await self.count_prompt())
        return Budget(min(budget.send, room), min(budget.keep or room, room))
