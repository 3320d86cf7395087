"""`GET /models` and `GET /models/{id}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway_lambda.registry.record import Model


def model_object(model: Model, owned_by: str) -> dict[str, Any]:
    """A model as OpenAI shows it."""
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": owned_by}


def model_list(models: Iterable[Model], owned_by: str) -> bytes:
    """The response of `GET /models`."""
    return msgspec.json.encode({"object": "list", "data": [model_object(model, owned_by) for model in models]})


def model_name(path: bytes) -> str:
    """The name in a raw path: `org/name` and `org%2Fname` are the same."""
    return unquote(path.decode("latin-1"), errors="replace")
