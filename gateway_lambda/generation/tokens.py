"""The tokens of a stream, as a model server gives them. Its own objects have these attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gateway_lambda.errors import GatewayError
from gateway_lambda.generation.choice import Finish
from gateway_lambda.generation.scores import Token
from gateway_lambda.server.event_stream import Silent


class LastDetails(Protocol):
    """The details that come with the last token of a stream."""

    @property
    def finish(self) -> Finish:
        """Why the text ended."""
        ...

    @property
    def input_length(self) -> int | None:
        """The tokens of the prompt, if the server says it here."""
        ...


class TokenEvent(Protocol):
    """One event of a stream. Without a `token`, it is an error."""

    @property
    def token(self) -> Token | None: ...
    @property
    def details(self) -> LastDetails | None: ...
    @property
    def top_tokens(self) -> Sequence[Token] | None: ...


class TokenStream(Silent, Protocol):
    """The events of one choice, as they come. It is always closed."""

    async def read(self) -> list[bytes]:
        """Return the events that have arrived, at least one. Raises `GatewayError`."""
        ...

    def decode(self, data: bytes, /) -> TokenEvent:
        """Return one event. Raises `GatewayError`."""
        ...

    def failure(self, event: Any) -> GatewayError:
        """Return the error in an event without a token."""
        ...

    def fail_for(self, error: GatewayError) -> None:
        """Count a failure of the replica, if the replica caused `error`."""
        ...

    async def finish(self) -> None:
        """Wait a moment for the stream's own end after its last event."""
        ...

    def close(self) -> None:
        """End the generation, unless it has ended."""
        ...
