"""dstack's model proxy router alone. The Python of the environment that `make bench-peers` made runs it.

`python bench/dstack_app.py PORT UPSTREAM`. The router, its TGI client and its authentication are code of dstack. The
repository is in memory. A pool of TCP connections leads to the upstream, instead of SSH tunnels or nginx, which would
cost more. It runs on uvloop and httptools, as this gateway does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import uvicorn
from dstack._internal.proxy.lib.auth import BaseProxyAuthProvider
from dstack._internal.proxy.lib.deps import ProxyDependencyInjector
from dstack._internal.proxy.lib.models import ChatModel, Project, Replica, Service, TGIChatModelFormat
from dstack._internal.proxy.lib.repo import BaseProxyRepo
from dstack._internal.proxy.lib.routers.model_proxy import router
from dstack._internal.proxy.lib.services.service_connection import ServiceClient, ServiceConnectionPool
from fastapi import FastAPI

PROJECT = Project(name="main", ssh_private_key="")
REPLICA = Replica(id="replica", app_port=80, ssh_destination="user@replica", ssh_port=22)
SERVICE = Service(project_name="main", run_name="run", auth=True, client_max_body_size=2**20, replicas=(REPLICA,))


class MemoryRepo(BaseProxyRepo):
    """One project, one run, one model."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def get_service(self, project_name: str, run_name: str) -> Service | None:
        return SERVICE

    async def list_models(self, project_name: str) -> list[ChatModel]:
        return [self._model]

    async def get_model(self, project_name: str, name: str) -> ChatModel | None:
        return self._model if name == self._model.name else None

    async def get_project(self, name: str) -> Project | None:
        return PROJECT


class KeyAuth(BaseProxyAuthProvider):
    """One key."""

    async def is_project_member(self, project_name: str, token: str) -> bool:
        return token == os.environ["DSTACK_BENCH_KEY"]


class Connection:
    """A pool of TCP connections in place of an SSH tunnel."""

    def __init__(self, upstream: str) -> None:
        self._client = ServiceClient(base_url=upstream, timeout=60)

    async def client(self) -> ServiceClient:
        return self._client


class Injector(ProxyDependencyInjector):
    """What the router gets its parts from."""

    def __init__(self, repo: BaseProxyRepo, upstream: str) -> None:
        super().__init__()
        self._repo = repo
        self._upstream = upstream

    async def get_repo(self) -> AsyncGenerator[BaseProxyRepo, None]:
        yield self._repo

    async def get_auth_provider(self) -> AsyncGenerator[BaseProxyAuthProvider, None]:
        yield KeyAuth()

    async def get_service_connection_pool(self) -> ServiceConnectionPool:
        pool = await super().get_service_connection_pool()
        connections: dict[str, Any] = pool.connections
        if REPLICA.id not in connections:
            connections[REPLICA.id] = Connection(self._upstream)
        return pool


def make_app(upstream: str) -> FastAPI:
    """Return an application with the router under dstack's own prefix."""
    spec = TGIChatModelFormat(
        chat_template=os.environ["DSTACK_BENCH_TEMPLATE"], eos_token=os.environ["DSTACK_BENCH_EOS"]
    )
    model = ChatModel(project_name="main", name="bench", created_at=datetime.now(UTC), run_name="run", format_spec=spec)
    app = FastAPI()
    app.state.proxy_dependency_injector = Injector(MemoryRepo(model), upstream)
    app.include_router(router, prefix="/api/models")
    return app


if __name__ == "__main__":
    uvicorn.run(
        make_app(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
    )
