"""The HTTP server: routes under `/cloud/` for the data planes, everything else is AWS's API."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from moto.backends import list_of_moto_modules
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.serving import BaseWSGIServer, make_server

from cloud.control_plane import unknown
from cloud.control_plane.changes import WORLD
from cloud.control_plane.data_plane import DataPlane

_REMEMBERED = 1000
"""Answers. They say why an SDK sent a call again: the provider then meets what its first attempt has made."""
LOG = logging.getLogger("cloud.control_plane")
Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Application:
    """AWS's API and the routes under `/cloud/`, as one WSGI application."""

    def __init__(self, data_plane: DataPlane) -> None:
        self._data_plane = data_plane
        self._aws = _Dispatcher(_backend_app)
        self._answers: dict[str, str] = {}
        """To the calls of late, by the id that the SDK gives all attempts of a call."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _body(environ)
        if environ["PATH_INFO"].startswith("/cloud/"):
            return self._data_plane(environ, body)(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        begun = time.monotonic()
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID", "")
        attempt = environ.get("HTTP_AMZ_SDK_REQUEST", "").partition(";")[0]
        if attempt not in ("", "attempt=1"):
            before = self._answers.get(invocation, "it never arrived")
            LOG.warning("%s is sent again, %s; before: %s", unknown.called(environ, body), attempt, before)

        def answered(status: str, *rest: Any) -> Any:
            self._answers[invocation] = f"{status} after {time.monotonic() - begun:.3f} s"
            if len(self._answers) > _REMEMBERED:
                del self._answers[next(iter(self._answers))]
            if LOG.isEnabledFor(logging.DEBUG):
                LOG.debug("%s: %s, %.3f s", unknown.called(environ, body), status, time.monotonic() - begun)
            return start_response(status, *rest)

        with WORLD:
            try:
                return list(self._aws(environ, answered))
            except Exception as error:
                return unknown.refusal(environ, body, error)(environ, answered)


def serve(application: Application, port: int) -> BaseWSGIServer:
    """A server that listens on 127.0.0.1. `serve_forever` runs it."""
    return make_server("127.0.0.1", port, application, threaded=True, request_handler=_Handler)


class _Dispatcher(DomainDispatcherApplication):
    """Refuses services that moto does not have."""

    def get_backend_for_host(self, host: str | None) -> Any:
        if host is None or host.endswith("_api") or host == "instance_metadata":
            return super().get_backend_for_host(host)
        known = any(pattern.match(f"http://{host}") for _, pattern in self.backend_url_patterns)
        if not known and host not in list_of_moto_modules():
            raise unknown.UnknownCall
        return super().get_backend_for_host(host)


class _Handler(MotoRequestHandler):
    """Logs no requests, because thousands of polls would hide what matters."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del code, size


def _body(environ: Environ) -> bytes:
    """Return the whole body. It is read before anything is locked."""
    if environ.get("wsgi.input_terminated"):
        return environ["wsgi.input"].read()
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return environ["wsgi.input"].read(length) if length else b""


def _backend_app(service: Any) -> Flask:
    """Return moto's application for a service. A call that it does not know raises; its own errors stay answers."""
    app = create_backend_app(service)

    def raised(error: Exception) -> Any:
        if isinstance(error, HTTPException) and type(error) not in (NotFound, MethodNotAllowed):
            return error
        raise error

    app.register_error_handler(Exception, raised)
    return app
