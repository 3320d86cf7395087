"""`GET /models` and `GET /models/{id}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway_lambda.registry.record import Model


def model_object(model: Model, owned_by: str, total_tokens: int | None) -> dict[str, Any]:
    """A model as OpenAI shows it, and what is known of it beyond that.

    `total_tokens`: prompt and answer together, as its replicas say. The record's own limit overrides it.
    """
    shown: dict[str, Any] = {"id": model.name, "object": "model", "created": model.created, "owned_by": owned_by}
    limit = model.limits.max_total_tokens
    length = total_tokens if limit is None else limit
    if length is not None:
        # OpenRouter's name for it, and vLLM's: clients read one of the two.
        shown["context_length"] = shown["max_model_len"] = length
    if not model.generates:
        shown["capabilities"] = []
    elif model.format == "tgi":
        able = {"completion": True, "tools": model.tools != "off", "vision": model.vision}
        shown["capabilities"] = [name for name, is_there in able.items() if is_there]
    return shown


def model_list(models: Iterable[dict[str, Any]]) -> bytes:
    """The response of `GET /models`."""
    return msgspec.json.encode({"object": "list", "data": list(models)})


def model_name(path: bytes) -> str:
    """The name in a raw path: `org/name` and `org%2Fname` are the same."""
    return unquote(path.decode("latin-1"), errors="replace")
