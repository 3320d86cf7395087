"""What a replica can do. Its version is that of TGI, of which other servers of its API say a version too."""

from __future__ import annotations

import msgspec

DEFAULT_MAX_STOP_SEQUENCES = 4
"""TGI's own default."""


class Capabilities(msgspec.Struct, frozen=True):
    """What one replica can do, as far as the gateway knows. The defaults are for an upstream that says nothing."""

    fingerprint: str | None = None
    """`system_fingerprint`: the same for the same build with the same weights."""
    version: tuple[int, int, int] | None = None
    max_stop_sequences: int = DEFAULT_MAX_STOP_SEQUENCES
    max_total_tokens: int | None = None

    @property
    def takes_grammar(self) -> bool:
        """True since 1.4.1. Older versions ignore `grammar` and `frequency_penalty` without an error."""
        return self.version is None or self.version >= (1, 4, 1)

    @property
    def wants_prefill(self) -> bool:
        """True before 1.4.0, where only `details.prefill` has the prompt's tokens, and the request must ask for it."""
        return self.version is not None and self.version < (1, 4, 0)

    @property
    def restarts_grammar(self) -> bool:
        """True since 3.0, where a generation runs in pieces of 1024 tokens, and the grammar starts again in each."""
        return self.version is None or self.version >= (3, 0, 0)
