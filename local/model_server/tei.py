"""Text Embeddings Inference's HTTP API (router/src/http/server.rs of version 1.9), with all-MiniLM-L6-v2."""

from __future__ import annotations

import base64
import operator
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from local.model_server.answers import COMPUTE_TYPE
from local.model_server.application import Application, Handler, Routes
from local.model_server.embedding import MOST_TEXTS, Embedded, Embedder
from local.model_server.errors import Refusal
from local.model_server.http import Exchange, Headers
from local.model_server.llama_settings import EMBEDDED_TOKENS
from local.model_server.minilm import MODEL_ID
from local.model_server.services import Service
from local.model_server.tei_requests import (
    EmbedRequest,
    Inputs,
    OpenAIEmbedRequest,
    OpenAITeiError,
    SimilarityRequest,
    TeiError,
    read_batch,
)

VERSION = "1.9.3"
"""The version of TEI whose API this is: what clients read from `/info`."""
PAYLOAD = 2_000_000
"""Bytes of a body (router/src/main.rs, --payload-limit)."""
_DURATIONS = tuple(0.00001 * 1.5**power for power in range(1, 36))
"""Seconds: TEI's own buckets (router/src/prometheus.rs)."""


class TeiApp(Application):
    """One service. `note`: what the server is, for people."""

    def __init__(self, embedder: Embedder, service: Service, *, note: str) -> None:
        self._embedder = embedder
        self._name = service.model or MODEL_ID
        self._batch = service.batch
        self._note = note
        self._metrics = _Metrics()
        routes: Routes = {
            "/": {"POST": self._counted(self._embed), "GET": self._tell_routes},
            "/embed": {"POST": self._counted(self._embed)},
            "/embeddings": {"POST": self._counted(self._embed_openai)},
            "/v1/embeddings": {"POST": self._counted(self._embed_openai)},
            "/similarity": {"POST": self._counted(self._compare)},
            "/rerank": {"POST": _refusing("model is not a re-ranker model")},
            "/predict": {"POST": _refusing("Model is not a classifier model")},
            "/embed_sparse": {"POST": _refusing("Model is not an embedding model with SPLADE pooling")},
            "/info": {"GET": self._tell_info},
            "/health": {"GET": self._health},
            "/ping": {"GET": self._health},
            "/metrics": {"GET": self._tell_metrics},
        }
        super().__init__(routes, payload_limit=PAYLOAD)

    def ended(self) -> Refusal:
        """Return the error of an answer that the server's end breaks off."""
        return TeiError("Unhealthy", "the server ends")

    def unknown(self, path: str) -> Refusal:
        """Return the error of a path that has no route, with the routes that there are."""
        return TeiError("Validation", f"no route {path}. {self.here()}", status=404)

    async def _embed(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        request = await self.read(exchange, EmbedRequest)
        method = self._count(request.inputs)
        batch = read_batch(request.inputs, self._batch)
        if (refusal := request.refusal_of_prompt()) is not None:
            raise refusal
        embedded = await _watched(
            exchange,
            self._embedder.embed(
                batch,
                truncate=request.truncate is not False,
                left=request.truncation_direction.lower() == "left",
                normalize=request.normalize,
                dimensions=request.dimensions,
            ),
        )
        await exchange.respond_json(200, embedded.vectors, headers=self._headers(embedded, began, method))

    async def _embed_openai(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        try:
            request = await self.read(exchange, OpenAIEmbedRequest)
            method = self._count(request.input)
            batch = read_batch(request.input, self._batch)
            embedded = await _watched(
                exchange, self._embedder.embed(batch, truncate=True, dimensions=request.dimensions)
            )
        except TeiError as error:
            raise OpenAITeiError(error) from error
        write: Callable[[Sequence[float]], Any] = _in_base64 if request.encoding_format == "base64" else list
        data: list[dict[str, Any]] = [
            {"object": "embedding", "embedding": write(vector), "index": place}
            for place, vector in enumerate(embedded.vectors)
        ]
        usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
        answer = {"object": "list", "data": data, "model": self._name, "usage": usage}
        await exchange.respond_json(200, answer, headers=self._headers(embedded, began, method))

    async def _compare(self, exchange: Exchange) -> None:
        began = time.perf_counter()
        inputs = (await self.read(exchange, SimilarityRequest)).inputs
        texts: list[str | int | list[int]] = [inputs.source_sentence, *inputs.sentences]
        method = self._count(texts)
        batch = read_batch(texts, self._batch)
        embedded = await _watched(exchange, self._embedder.embed(batch, truncate=True))
        source, *others = embedded.vectors
        similar = [sum(map(operator.mul, source, other)) for other in others]
        await exchange.respond_json(200, similar, headers=self._headers(embedded, began, method))

    async def _tell_info(self, exchange: Exchange) -> None:
        await exchange.respond_json(
            200,
            {
                "model_id": MODEL_ID,
                "model_sha": None,
                "model_dtype": "float32",
                "served_model_name": self._name,
                "model_type": {"embedding": {"pooling": "mean"}},
                "max_concurrent_requests": MOST_TEXTS,
                "max_input_length": EMBEDDED_TOKENS,
                "max_batch_tokens": 16384,
                "max_batch_requests": None,
                "max_client_batch_size": self._batch,
                "auto_truncate": True,
                "tokenization_workers": 1,
                "version": VERSION,
                "sha": None,
                "docker_label": None,
                "note": self._note,
            },
        )

    async def _tell_routes(self, exchange: Exchange) -> None:
        await exchange.respond_text(200, f"{self._note}.\n\n{self.here()}\n")

    async def _health(self, exchange: Exchange) -> None:
        if not await self._embedder.healthy():
            raise TeiError("Unhealthy", "unhealthy")
        await exchange.respond(200)

    async def _tell_metrics(self, exchange: Exchange) -> None:
        await exchange.respond_text(200, self._metrics.render(self._embedder.working))

    def _counted(self, handler: Handler) -> Handler:
        async def counted(exchange: Exchange) -> None:
            try:
                await handler(exchange)
            except Refusal as refusal:
                self._metrics.failures.labels(str(refusal.status)).inc()
                raise

        return counted

    def _count(self, inputs: Inputs) -> str:
        """Count a request, and return how TEI names its kind."""
        single = isinstance(inputs, str) or (bool(inputs) and all(isinstance(one, int) for one in inputs))
        method = "single" if single else "batch"
        self._metrics.requests.labels(method).inc()
        return method

    def _headers(self, embedded: Embedded, began: float, method: str) -> Headers:
        """Return what TEI says in headers, times in whole milliseconds."""
        total = time.perf_counter() - began
        self._metrics.successes.labels(method).inc()
        self._metrics.embedded.inc(len(embedded.vectors))
        self._metrics.durations.observe(total)
        times = {"total": total, "tokenization": embedded.tokenizing, "queue": 0.0, "inference": embedded.inference}
        return {
            "x-compute-type": COMPUTE_TYPE,
            "x-compute-time": str(int(total * 1000)),
            "x-compute-characters": str(embedded.characters),
            "x-compute-tokens": str(embedded.tokens),
            **{f"x-{name}-time": str(int(seconds * 1000)) for name, seconds in times.items()},
        }


class _Metrics:
    """What `/metrics` counts, under TEI's names."""

    def __init__(self) -> None:
        registry: Any = CollectorRegistry()
        self._registry = registry
        self.requests = Counter("te_request_count", "Total number of requests", ["method"], registry=registry)
        self.successes = Counter("te_request_success", "Number of successful requests", ["method"], registry=registry)
        self.failures = Counter("te_request_failure", "Number of failed requests", ["err"], registry=registry)
        self.embedded = Counter("te_embed_success", "Number of texts with an embedding", registry=registry)
        self.durations = Histogram("te_request_duration", "Request duration", buckets=_DURATIONS, registry=registry)
        self._working = Gauge("te_queue_size", "Texts that are worked on", registry=registry)

    def render(self, working: int) -> str:
        self._working.set(working)
        # TEI's counters do not have the suffix that this library gives to every counter.
        return generate_latest(self._registry).decode().replace("_total", "")


async def _watched(exchange: Exchange, work: Awaitable[Embedded]) -> Embedded:
    async with exchange.watch() as watch:
        return await watch.wait(work)


def _refusing(message: str) -> Handler:
    async def refuse(exchange: Exchange) -> None:
        raise TeiError("Backend", f"{message}: {MODEL_ID} stands in here")

    return refuse


def _in_base64(vector: Sequence[float]) -> str:
    """Write 32-bit numbers, little-endian as on every machine that llama.cpp is built for."""
    return base64.b64encode(array("f", vector)).decode()
