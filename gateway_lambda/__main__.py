"""`python -m gateway_lambda`: serve the gateway on HOST and PORT (settings: docs/gateway.md)."""

import contextlib
import math
import os
import sys
from types import FrameType

import uvicorn
from msgspec.structs import replace
from uvicorn.config import STARTUP_FAILURE

from gateway_lambda.app import make_app
from gateway_lambda.logs import set_up_logging
from gateway_lambda.registry.file import RegistryError
from gateway_lambda.registry.opening import open_registry
from gateway_lambda.server.adapter import behind_adapter
from gateway_lambda.server.client_connection import ClientConnection
from gateway_lambda.server.open_files import connections_for
from gateway_lambda.settings import SettingsError, from_environment

try:
    settings = from_environment(os.environ)
    settings = replace(settings, max_connections=connections_for(settings.max_connections))
    app = make_app(settings, open_registry(settings.registry))
except (SettingsError, RegistryError) as problem:
    sys.exit(f"gateway: {problem}")
set_up_logging(settings.log)
if settings.log_requests:
    from gateway_lambda.monitoring.request_log import set_up_request_log

    set_up_request_log()


class Server(uvicorn.Server):
    """uvicorn's server with another end. uvicorn closes a task's connection when it cancels the task, so the client
    gets no error. And it checks only every 0.1 s whether it must end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT: tasks that run longer than the grace are cancelled, and send an error to their
        clients."""
        super().handle_exit(sig, frame)
        for task in self.server_state.tasks:
            loop = task.get_loop()
            loop.call_soon_threadsafe(loop.call_later, settings.grace, task.cancel)


_LAST_WORDS = 1
"""Seconds that cancelled tasks have to say so, where there is time at all."""
config = uvicorn.Config(
    behind_adapter(app) if settings.behind else app,
    host=settings.host,
    port=settings.port,
    loop="uvloop",
    http=ClientConnection.serving(settings),
    ws="none",
    access_log=False,
    log_config=None,
    server_header=False,
    date_header=False,
    proxy_headers=False,
    timeout_keep_alive=75,
    timeout_graceful_shutdown=math.ceil(settings.grace) + _LAST_WORDS if settings.grace else 0,
)
server = Server(config)
with contextlib.suppress(KeyboardInterrupt):
    server.run()
if not server.started:
    sys.exit(STARTUP_FAILURE)
