"""What Text Embeddings Inference reads and refuses, as version 1.9 does: router/src/http/types.rs, core/src/infer.rs,
core/src/tokenization.rs. Unknown fields are ignored."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from local.model_server.errors import Refusal

Inputs = str | list[str | int | list[int]]
"""A text, the token ids of one, or a list of either."""
_STATUSES = {"Backend": 424, "Empty": 400, "Overloaded": 429, "Tokenizer": 422, "Unhealthy": 503, "Validation": 422}


class EmbedRequest(Struct, frozen=True):
    """The body of `/embed`."""

    inputs: Inputs
    truncate: bool | None = None
    truncation_direction: Literal["left", "right", "Left", "Right"] = "right"
    prompt_name: str | None = None
    normalize: bool = True
    dimensions: int | None = None

    def refusal_of_prompt(self) -> TeiError | None:
        """Return the error of a request with a prompt: the model has none."""
        if self.prompt_name is None:
            return None
        why = "no prompts were found in the Sentence Transformers configuration"
        return TeiError("Validation", f"`default-prompt-name` is set to `{self.prompt_name}` but {why}")


class OpenAIEmbedRequest(Struct, frozen=True):
    """The body of `/v1/embeddings`."""

    input: Inputs
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = None


class SimilarityInputs(Struct, frozen=True):
    """`inputs` of `/similarity`."""

    source_sentence: str
    sentences: list[str]


class SimilarityRequest(Struct, frozen=True):
    """The body of `/similarity`."""

    inputs: SimilarityInputs


class TeiError(Refusal):
    """`{"error": str(), "error_type": …}`. `kind` decides the status."""

    def __init__(self, kind: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status or _STATUSES[kind]

    def body(self) -> dict[str, Any]:
        """Return the error as JSON."""
        return {"error": str(self), "error_type": self.kind}


class OpenAITeiError(Refusal):
    """The same error below `/v1`."""

    def __init__(self, error: TeiError) -> None:
        super().__init__(str(error))
        self.status = error.status
        self._kind = error.kind

    def body(self) -> dict[str, Any]:
        """Return the error as JSON."""
        return {"message": str(self), "code": self.status, "type": self._kind}


def read_batch(inputs: Inputs, largest: int) -> list[str | list[int]]:
    """Return the texts, or their token ids, one by one.

    Raises:
        TeiError: the batch is empty, or has more than `largest`.
    """
    if isinstance(inputs, str):
        return [inputs]
    ids = [one for one in inputs if isinstance(one, int)]
    if ids and len(ids) == len(inputs):
        return [ids]
    batch = [one for one in inputs if not isinstance(one, int)]
    if not batch or ids:
        raise TeiError("Empty", "`inputs` cannot be empty")
    if len(batch) > largest:
        raise TeiError("Validation", f"batch size {len(batch)} > maximum allowed batch size {largest}")
    return batch


def check_dimensions(dimensions: int | None, largest: int) -> None:
    """Refuse a number of dimensions that the model does not have.

    Raises:
        TeiError: it is not from 1 to `largest`.
    """
    if dimensions is not None and dimensions <= 0:
        raise TeiError("Validation", "`dimensions` should be positive")
    if dimensions is not None and dimensions > largest:
        raise TeiError("Validation", "`dimensions` should be smaller than the maximum embedding dimension.")
