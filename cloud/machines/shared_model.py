"""The models of all machines, loaded once: `python -m cloud.machines.shared_model FOLDER`.

Each container has a server of its own, and all of them ask these models, so that three replicas need no more memory
than one. `FOLDER/chat` and `FOLDER/embeddings` are sockets that lead to llama.cpp, because a container has its own
network; `FOLDER/key` opens llama.cpp to them. A model is loaded when somebody asks for it first.

It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from cloud.machines.calls import listen
from cloud.machines.docker.forwarder import copy
from local.cache import cache_folder
from local.model_server.llama import Llama
from local.model_server.llama_settings import CONTEXT
from local.model_server.minilm import minilm_path
from local.model_server.serving import TEMPLATE
from local.model_server.standin import StandInMissing, read_stand_in

CHAT, EMBEDDINGS, KEY = "chat", "embeddings", "key"


class SharedModel:
    """One model behind a socket."""

    def __init__(self, load: Callable[[], Llama]) -> None:
        self._load = load
        self._llama: Llama | None = None
        self._loading = asyncio.Lock()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client with llama.cpp."""
        try:
            async with self._loading:
                if self._llama is None:
                    self._llama = await asyncio.to_thread(self._load)
            address = urlsplit(self._llama.address)
            inner_reader, inner_writer = await asyncio.open_connection(address.hostname, address.port)
        except (StandInMissing, RuntimeError, OSError) as error:
            print(f"the stand-in model cannot be loaded: {error}", file=sys.stderr, flush=True)
            writer.close()
            return
        try:
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        finally:
            inner_writer.close()
            writer.close()


async def serve(folder: Path) -> None:
    """Serve the models until standard input ends."""
    loop = asyncio.get_running_loop()
    key = secrets.token_hex(16)
    (folder / KEY).touch(0o600)
    (folder / KEY).write_text(key)

    def chat() -> Llama:
        model = read_stand_in()
        template = TEMPLATE.read_text(encoding="utf-8")
        return Llama.load(model.path, key=key, context=min(CONTEXT, model.context_length), template=template)

    def embeddings() -> Llama:
        return Llama.load(minilm_path(cache_folder()), key=key, use="embeddings")

    for name, load in ((CHAT, chat), (EMBEDDINGS, embeddings)):
        await asyncio.start_unix_server(SharedModel(load).serve, sock=listen(folder / name))
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    print("ready", flush=True)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
    os._exit(0)  # the threads of llama.cpp would go on
