"""The model server as a process: the model loaded, ports bound, signals answered."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
import uvloop

from local.model_server.app import App
from local.model_server.inference import Inference
from local.model_server.llama import CONTEXT, SLOTS, Llama
from local.model_server.metrics import Metrics
from local.model_server.slots import Slots
from local.model_server.standin import MODEL_ID, read_weights_header, weights_path
from local.model_server.stopping import UNASKED
from local.model_server.validation import Limits
from local.model_server.vocabulary import read_vocabulary

TGI_VERSION = "3.3.7"
"""The version of TGI whose API this is: what clients read from `/info`."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_WORDS = 1
"""Seconds for what is being answered to be broken off in order."""


@dataclass(frozen=True)
class Service:
    """What is stood in for on a port: None is nothing in particular."""

    stands_in_for: str | None
    port: int
    """0: any free one."""


@dataclass(frozen=True)
class Address:
    """Where a service is served."""

    stands_in_for: str | None
    url: str


def serve(
    services: Sequence[Service],
    *,
    limits: Limits,
    verbose: bool,
    ready: Callable[[Sequence[Address]], None],
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called once, when requests are answered.

    Raises:
        OSError: a port is taken.
        StandInMissing: the weights are not here.
    """
    sockets = [_listen(service.port) for service in services]
    path = weights_path()
    vocabulary = read_vocabulary(read_weights_header(path))
    # Until requests are answered a signal just ends the process. llama.cpp puts handlers of its own on them while it
    # starts, which would end the model and leave the process.
    _let_signals_end()
    llama = Llama(path, verbose=verbose)
    _let_signals_end()
    ports = {one.getsockname()[1]: service.stands_in_for for one, service in zip(sockets, services, strict=True)}

    async def run() -> None:
        slots = Slots(SLOTS)
        metrics = Metrics(limits.max_total_tokens)
        inference = Inference(llama, vocabulary, slots, limits, metrics)
        app = App(inference, vocabulary, slots, limits, metrics, lambda port: describe(ports[port], limits))
        addresses = [Address(name, f"http://127.0.0.1:{port}") for port, name in ports.items()]
        server = _Server(app, lambda: ready(addresses))
        try:
            # A signal in the moment between may have ended the model.
            if await llama.healthy():
                await server.serve(sockets)
        finally:
            await llama.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def default_limits(max_concurrent_requests: int) -> Limits:
    """TGI's limits over what a slot of this model server holds."""
    return Limits(
        max_total_tokens=CONTEXT,
        max_input_tokens=CONTEXT - 1,
        max_concurrent_requests=max_concurrent_requests,
    )


def describe(stands_in_for: str | None, limits: Limits) -> Mapping[str, Any]:
    """`/info`: TGI's fields with the truth in them, and plainly that this stands in."""
    for_whom = stands_in_for or "the configured model"
    return {
        "model_id": MODEL_ID,
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
        "note": f"{MODEL_ID} on llama.cpp stands in for {for_whom} on this machine; "
        f"without `max_new_tokens` an answer has {UNASKED} tokens, with null the rest of the context",
    }


class _Server(uvicorn.Server):
    def __init__(self, app: App, ready: Callable[[], None]) -> None:
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
        self._app = app
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
        self._app.end()
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
            f"port {port} of 127.0.0.1: {error.strerror}; give another --port, or 0 for any free one"
        ) from error
    return listener
