"""A model server in a container: the API of the real one, over the small model that all machines share."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvicorn

from cloud.machines.stand_ins import SETTINGS, published_port
from cloud.machines.stand_ins.front import Front
from infra.planning.model_server import Loaded, loaded_model
from infra.planning.plan import Container
from infra.planning.servers import Server
from local.model_server.application import Application
from local.model_server.llama import Llama
from local.model_server.services import Service
from local.model_server.serving import default_limits, embedding, generating
from local.model_server.standin import read_stand_in

MODEL = Path("/run/stand-in-model")
MOST_REQUESTS = 128
_EVERYWHERE = "0.0.0.0"  # noqa: S104 (the container's own network)


def serve_model(command: Sequence[str]) -> int:
    """Serve as the command line says, until SIGTERM; running answers are finished first. Returns the exit status."""
    loaded = loaded_model(as_container(command))
    if loaded.server is None:
        print(f"{command[0]}: error: unrecognized arguments: {' '.join(command[1:])}", file=sys.stderr, flush=True)
        return 2
    port = loaded.port or loaded.server.port
    apps = applications(loaded.server, services_of(loaded), port)
    return serve(Front(loaded.server, apps, own_metrics=loaded.server.name in ("TGI", "TEI")), loaded, port)


def as_container(command: Sequence[str]) -> Container:
    """Return the plan's form of this process: its command line and its variables."""
    return Container(
        image=(SETTINGS / "image").read_text(),
        entrypoint=command[0],
        arguments=tuple(command[1:]),
        environment=tuple(os.environ.items()),
        port=published_port(),
        shm_size_mb=None,
        working_dir=None,
        user=None,
        privileged=False,
        registry_login=None,
        mounts=(),
        hub_cache_paths=(),
        gpu_count_variables=(),
    )


def services_of(loaded: Loaded) -> Mapping[str, Service]:
    """Return what is served, by the path that it begins with: TGI has OpenAI's API beside its own."""
    server, model = loaded.server, loaded.model
    known = "" if server is None else server.name
    stands_in_for = model or known
    if known == "TEI":
        return {"/": Service(api="tei", stands_in_for=stands_in_for, model=model)}
    names = loaded.names or (None if model is None or server is None or server.names != "own" else (model,))
    name = names[0] if names else model
    prefix = "/v1" if server is None or server.prefix is None else server.prefix
    openai = Service(api="openai", stands_in_for=stands_in_for, model=name, names=names, prefix=prefix)
    if known == "TGI":
        return {f"{prefix}/": openai, "/": Service(api="tgi", stands_in_for=stands_in_for)}
    return {"/": openai}


def applications(server: Server, services: Mapping[str, Service], port: int) -> Mapping[str, Application]:
    """Return the application of each service."""
    if server.name == "TEI":
        llama = shared_model("embeddings")
        return {prefix: embedding(llama, {port: service})[port] for prefix, service in services.items()}
    llama, model = shared_model("chat"), read_stand_in()
    limits = default_limits(MOST_REQUESTS, model.context_length)
    return {prefix: generating(llama, {port: service}, model, limits)[port] for prefix, service in services.items()}


def shared_model(name: str) -> Llama:
    """Return a model that all machines share: behind a socket, or at the address in a file of that name."""
    place, key = MODEL / name, (MODEL / "key").read_text()
    return Llama(f"http://{name}", key, socket=place) if place.is_socket() else Llama(place.read_text(), key)


def serve(front: Front, loaded: Loaded, port: int) -> int:
    """Listen where the command line says, and serve; returns the exit status."""
    host = "127.0.0.1" if loaded.local else _EVERYWHERE
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        why = f"[Errno {error.errno}] error while attempting to bind on address ({host!r}, {port}): {error.strerror}"
        print(why, file=sys.stderr, flush=True)
        return 1
    config = uvicorn.Config(
        front,  # pyright: ignore[reportArgumentType]
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    print(f"SmolLM2-135M stands in for {loaded.model or 'the model'}, on http://{host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0
