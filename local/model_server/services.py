"""What the model server stands in for: one service on each port, as the launcher describes it."""

from __future__ import annotations

from typing import Literal

import msgspec

Api = Literal["tgi", "openai", "tei"]
"""TGI's API, OpenAI's as vLLM and others serve it, or that of Text Embeddings Inference (TEI)."""

LARGEST_BATCH = 32
"""Texts in a request to TEI, if no option says another number (router/src/main.rs, --max-client-batch-size)."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is stood in for."""

    api: Api = "tgi"
    stands_in_for: str | None = None
    """A model or an image, for people. `None`: nothing in particular."""
    model: str | None = None
    """The model's name in answers. `None`: the stand-in's own."""
    names: tuple[str, ...] | None = None
    """The model names that requests can have. `None`: any."""
    prefix: str = "/v1"
    """The path of the OpenAI API."""
    batch: int = LARGEST_BATCH
    """Texts in a request for embeddings."""
    port: int = 0
    """A port of 127.0.0.1. 0: any free one."""


class Address(msgspec.Struct, frozen=True):
    """Where a service is served."""

    stands_in_for: str | None
    url: str


def write_service(service: Service) -> str:
    """Return the value of `--service`."""
    return msgspec.json.encode(service).decode()


def read_service(text: str) -> Service:
    """Read the value of `--service`.

    Raises:
        ValueError: it is not a service in JSON.
    """
    return msgspec.json.decode(text, type=Service)
