"""A model whose replicas are TGI."""

from __future__ import annotations

from collections.abc import Awaitable

from gateway_lambda.errors import Header
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.generation.ready_model import ReadyModel
from gateway_lambda.generation.request import GenerationRequest
from gateway_lambda.registry.record import Model
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.client import TgiClient
from gateway_lambda.tgi.generation import TgiGeneration
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica


class TgiGenerator:
    """A `Generator` (`generation/generator.py`). There is one for each run that is in use.

    `key`: the header with the replicas' key, or nothing.
    """

    __slots__ = ("_client", "model")

    def __init__(
        self, upstream: Upstream, settings: Settings, model: Model, replicas: list[Replica], key: list[Header]
    ) -> None:
        self.model = ReadyModel(model)
        self._client = TgiClient(upstream, settings, model.limits, replicas, key)
        for replica in replicas:
            # TGI answers it at once, also while it generates.
            replica.question = (b"/info", key)

    @property
    def total_tokens(self) -> int | None:
        """How long prompt and answer can be together, as far as a replica has said."""
        return self._client.total_tokens

    def ask_capabilities(self) -> Awaitable[Capabilities]:
        """Return what one of the replicas says of itself. Raises `ServiceError` if none can be reached."""
        return self._client.on_a_replica(self._client.capabilities)

    def generation(self, request: GenerationRequest, prompt: str, *, chat: bool) -> TgiGeneration:
        """Return the answers to `prompt`, none of which has begun. `chat`: the prompt comes from a template."""
        return TgiGeneration(self._client, self.model, request, prompt, chat=chat)
