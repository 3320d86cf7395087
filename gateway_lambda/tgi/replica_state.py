"""What the replicas of a run have said of themselves."""

from __future__ import annotations

import asyncio

from gateway_lambda.errors import ServiceError
from gateway_lambda.generation.capabilities import Capabilities


class ReplicaState:
    """What is known of one replica, and until when (by the event loop's clock)."""

    __slots__ = ("asking", "bos", "bos_asked", "capabilities", "problem", "until")

    def __init__(self) -> None:
        self.capabilities: Capabilities | None = None
        self.problem: ServiceError | None = None
        """Why it could not be asked."""
        self.until = 0.0
        self.bos: bool | None = None
        """Whether its tokenizer adds a BOS; None: not asked yet, or without an answer."""
        self.bos_asked = False
        self.asking: asyncio.Task[None] | None = None
