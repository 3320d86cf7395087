"""The request bodies of callers without a key, which the process holds in memory."""

from __future__ import annotations

from gateway_lambda.errors import ServiceError


class OpenBodies:
    """Bytes of their request bodies, all of them together, until they are answered.

    `most` bytes at once; a body has `within` seconds to come.
    """

    def __init__(self, most: int, within: float) -> None:
        self._most = most
        self._held = 0
        self.within = within

    def take(self, size: int) -> None:
        """Hold `size` bytes more. Raises `ServiceError` where that is too much."""
        if self._held + size > self._most:
            raise ServiceError(
                503,
                "too many large requests without an API key at once; send a key, or try again shortly",
                "service_unavailable",
                headers=((b"retry-after", b"1"),),
            )
        self._held += size

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less."""
        self._held -= size
