"""Embeddings of texts by llama.cpp, in the dimensions that the request asks for. A text that is too long is cut."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from local.model_server.llama import Llama, LlamaError
from local.model_server.llama_settings import EMBEDDED_TOKENS
from local.model_server.minilm import DIMENSIONS
from local.model_server.tei_requests import TeiError, check_dimensions

MOST_TEXTS = 512
"""Texts that are worked on, of all requests together (router/src/main.rs, --max-concurrent-requests)."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Embeddings of texts, in their order."""

    vectors: Sequence[Sequence[float]]
    characters: int
    tokens: int
    """Tokens that the model read."""
    tokenizing: float
    """Seconds."""
    inference: float
    """Seconds."""


class Embedder:
    """One embedding model, for any number of requests."""

    def __init__(self, llama: Llama) -> None:
        self._llama = llama
        self._working = 0

    @property
    def working(self) -> int:
        """The number of texts in work."""
        return self._working

    async def embed(
        self,
        texts: Sequence[str | list[int]],
        *,
        truncate: bool,
        left: bool = False,
        normalize: bool = True,
        dimensions: int | None = None,
    ) -> Embedded:
        """Return the embeddings of texts, or of lists of token ids. `left`: a text that is cut loses its beginning.

        Raises:
            TeiError: a text is empty or too long, or the model is overloaded or failed.
        """
        check_dimensions(dimensions, DIMENSIONS)
        if self._working + len(texts) > MOST_TEXTS:
            raise TeiError("Overloaded", "Model is overloaded")
        self._working += len(texts)
        try:
            started = time.perf_counter()
            read = [await self._tokens(text, truncate=truncate, left=left) for text in texts]
            tokenized = time.perf_counter()
            vectors = await self._llama.embed(read, normalize=normalize and dimensions is None)
            return Embedded(
                vectors=[_cut(vector, dimensions, normalize=normalize) for vector in vectors],
                characters=sum(len(text) for text in texts if isinstance(text, str)),
                tokens=sum(map(len, read)),
                tokenizing=tokenized - started,
                inference=time.perf_counter() - tokenized,
            )
        except LlamaError as error:
            raise TeiError("Backend", str(error)) from error
        finally:
            self._working -= len(texts)

    async def healthy(self) -> bool:
        """Return whether llama.cpp answers."""
        return await self._llama.healthy()

    async def _tokens(self, text: str | list[int], *, truncate: bool, left: bool) -> list[int]:
        written = text if isinstance(text, str) else await self._written(text)
        if not written:
            raise TeiError("Validation", "`inputs` cannot be empty")
        tokens = await self._llama.tokenize(written)
        if len(tokens) <= EMBEDDED_TOKENS:
            return tokens
        if not truncate:
            rule = f"`inputs` must have less than {EMBEDDED_TOKENS} tokens. Given: {len(tokens)}"
            raise TeiError("Validation", rule)
        inner, kept = tokens[1:-1], EMBEDDED_TOKENS - 2
        return [tokens[0], *(inner[-kept:] if left else inner[:kept]), tokens[-1]]

    async def _written(self, ids: list[int]) -> str:
        try:
            return await self._llama.detokenize(ids)
        except LlamaError as error:
            raise TeiError("Tokenizer", str(error)) from error


def _cut(vector: list[float], dimensions: int | None, *, normalize: bool) -> list[float]:
    if dimensions is None:
        return vector
    kept = vector[:dimensions]
    length = math.hypot(*kept) if normalize else 0.0
    return [value / length for value in kept] if length else kept
