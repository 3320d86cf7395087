"""The process of the model server: it loads models, binds ports and handles signals."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from local.model_server.application import Application
from local.model_server.embedding import Embedder
from local.model_server.http import Receive, Send
from local.model_server.inference import Inference
from local.model_server.llama import Llama
from local.model_server.llama_settings import CONTEXT, SLOTS
from local.model_server.metrics import Metrics
from local.model_server.minilm import DIMENSIONS, minilm_path
from local.model_server.minilm import MODEL_ID as EMBEDDING_MODEL_ID
from local.model_server.openai import OpenAIApp
from local.model_server.services import Address, Service
from local.model_server.slots import Slots
from local.model_server.standin import GO_BACK, StandIn, StandInMissing, read_stand_in, read_weights_header
from local.model_server.stopping import LONGEST_UNASKED, UNASKED
from local.model_server.tei import TeiApp
from local.model_server.tgi import TgiApp
from local.model_server.validation import Limits
from local.model_server.vocabulary import read_vocabulary

TGI_VERSION = "3.3.7"
"""The version of TGI whose API this is: what clients read from `/info`."""
TEMPLATE = Path(__file__).with_name("tools.jinja")
"""The small model's own chat template, with tools: without them, llama.cpp would leave the tools of a request out."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_WORDS = 1
"""Seconds for what is being answered to be broken off in order."""


def serve(
    services: Sequence[Service],
    *,
    weights: Path | None,
    cache: Path,
    max_concurrent_requests: int,
    verbose: bool,
    ready: Callable[[Sequence[Address]], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once, when requests are answered.

    Only the models that a service needs are loaded, each once. `weights`: a GGUF file instead of the stand-in's own.
    `cache`: where the file of the embedding model is, or is written.

    Raises:
        OSError: a port is taken.
        StandInMissing: weights are not here, or cannot be used.
    """
    sockets = [_listen(service.port) for service in services]
    ports = {one.getsockname()[1]: service for one, service in zip(sockets, services, strict=True)}
    # Until requests are answered, a signal ends the process. While llama.cpp starts, it sets its own handlers,
    # which would end the model and not the process.
    _let_signals_end()
    loaded: list[Llama] = []
    apps: dict[int, Application] = {}
    if any(service.api != "tei" for service in services):
        model = read_stand_in(weights)
        context = min(CONTEXT, model.context_length)
        use = "repeatable" if weights is None else "quick"
        unasked = LONGEST_UNASKED if weights is None else context
        template = TEMPLATE.read_text(encoding="utf-8") if weights is None else None
        llama = _load(
            lambda: Llama.load(model.path, use=use, context=context, template=template, verbose=verbose), model.path
        )
        loaded.append(llama)
        apps |= generating(llama, ports, model, default_limits(max_concurrent_requests, context, unasked))
    if any(service.api == "tei" for service in services):
        path = minilm_path(cache)
        llama = _load(lambda: Llama.load(path, use="embeddings", verbose=verbose), path)
        loaded.append(llama)
        apps |= embedding(llama, ports)
    _let_signals_end()

    async def run() -> None:
        addresses = [Address(one.stands_in_for, f"http://127.0.0.1:{port}") for port, one in ports.items()]
        server = _Server(apps, lambda: ready(addresses))
        async with AsyncExitStack() as stack:
            for llama in loaded:
                stack.push_async_callback(llama.close)
            # A signal that came before this may have ended a model.
            if all([await llama.healthy() for llama in loaded]):
                await server.serve(sockets)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def default_limits(max_concurrent_requests: int, context: int = CONTEXT, unasked: int = LONGEST_UNASKED) -> Limits:
    """Return TGI's limits for the slots of this model server, each of which has `context` tokens."""
    return Limits(
        max_unasked_tokens=unasked,
        max_total_tokens=context,
        max_input_tokens=context - 1,
        max_concurrent_requests=max_concurrent_requests,
    )


def describe(stands_in_for: str | None, limits: Limits, model_id: str) -> Mapping[str, Any]:
    """Return the answer of `/info`: TGI's fields with the true values, and a note that this is a stand-in."""
    return {
        "model_id": model_id,
        "model_sha": None,
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": limits.max_concurrent_requests,
        "max_best_of": limits.max_best_of,
        "max_stop_sequences": limits.max_stop_sequences,
        "max_input_tokens": limits.max_input_tokens,
        "max_total_tokens": limits.max_total_tokens,
        "validation_workers": 1,
        "max_client_batch_size": 4,
        "router": "servestack-stand-in",
        "version": TGI_VERSION,
        "sha": None,
        "docker_label": None,
        "stands_in_for": stands_in_for,
        "note": f"{_note(model_id, stands_in_for)}; without `max_new_tokens` an answer has {UNASKED} tokens, with null "
        f"at most {limits.max_unasked_tokens}",
    }


def generating(llama: Llama, ports: Mapping[int, Service], model: StandIn, limits: Limits) -> Mapping[int, Application]:
    """Return the applications of services that write text, by port."""
    slots = Slots(SLOTS)
    apps: dict[int, Application] = {}
    tgi = [port for port, service in ports.items() if service.api == "tgi"]
    if tgi:
        try:
            vocabulary = read_vocabulary(read_weights_header(model.path))
        except ValueError as error:
            raise StandInMissing(f"{model.path}: {error}") from error
        metrics = Metrics(limits.max_total_tokens)
        inference = Inference(llama, vocabulary, slots, limits, metrics)

        def info(port: int) -> Mapping[str, Any]:
            return describe(ports[port].stands_in_for, limits, model.model_id)

        apps |= dict.fromkeys(tgi, TgiApp(inference, vocabulary, slots, limits, metrics, info))
    for port, service in ports.items():
        if service.api == "openai":
            note = f"{_note(model.model_id, service.stands_in_for)}, with llama.cpp's OpenAI API"
            apps[port] = OpenAIApp(llama, slots, service, own_name=model.model_id, limits=limits, note=note)
    return apps


def embedding(llama: Llama, ports: Mapping[int, Service]) -> Mapping[int, Application]:
    """Return the applications of services that embed texts, by port."""
    embedder = Embedder(llama)
    dimensions = f"its embeddings have {DIMENSIONS} dimensions"
    return {
        port: TeiApp(embedder, one, note=f"{_note(EMBEDDING_MODEL_ID, one.stands_in_for)}; {dimensions}")
        for port, one in ports.items()
        if one.api == "tei"
    }


def _note(model_id: str, stands_in_for: str | None) -> str:
    return f"{model_id} on llama.cpp stands in for {stands_in_for or 'the configured model'} on this machine"


def _load(load: Callable[[], Llama], path: Path) -> Llama:
    try:
        return load()
    except RuntimeError as error:
        raise StandInMissing(
            f"llama.cpp cannot load {path}: {error} Give another GGUF file, or go back with {GO_BACK}"
        ) from error


class _Server(uvicorn.Server):
    def __init__(self, apps: Mapping[int, Application], ready: Callable[[], None]) -> None:
        async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
            await apps[scope["server"][1]](scope, receive, send)

        super().__init__(
            uvicorn.Config(
                app,  # pyright: ignore[reportArgumentType]
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_LAST_WORDS,
            )
        )
        self._apps = apps
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for one in _SIGNALS:
            loop.add_signal_handler(one, self._end)
        yield

    def _end(self) -> None:
        for app in set(self._apps.values()):
            app.end()
        self.should_exit = True


def _let_signals_end() -> None:
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_DFL)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"port {port} of 127.0.0.1: {error.strerror}; give another port, or 0 for any free one"
        ) from error
    return listener
