"""The HTTP server: routes under `/cloud/` for the data planes, everything else is AWS's API."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from moto.backends import list_of_moto_modules
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.serving import BaseWSGIServer, make_server

from cloud.control_plane import unknown
from cloud.control_plane.changes import WORLD
from cloud.control_plane.data_plane import DataPlane

_REMEMBERED, _SMALL = 1000, 65_536
"""Answers, and the bytes of the longest of them."""
LOG = logging.getLogger("cloud.control_plane")
Environ = dict[str, Any]
StartResponse = Callable[..., Any]


@dataclass(frozen=True)
class _Answer:
    status: str
    headers: list[tuple[str, str]]
    body: bytes


class Application:
    """AWS's API and the routes under `/cloud/`, as one WSGI application.

    On a busy machine, an answer of this server can be lost. Then the client's SDK sends the call again, with the same
    invocation id. It gets the first answer: a call that creates something would be refused the second time.
    """

    def __init__(self, data_plane: DataPlane) -> None:
        self._data_plane = data_plane
        self._aws = _Dispatcher(_backend_app)
        self._answers: dict[str, _Answer] = {}
        """To the last calls that succeeded, by invocation id."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _body(environ)
        if environ["PATH_INFO"].startswith("/cloud/"):
            return self._data_plane(environ, body)(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        with WORLD:
            answer = self._answers.get(environ.get("HTTP_AMZ_SDK_INVOCATION_ID", ""))
            if answer is None:
                answer = self._asked(environ, body)
            else:
                LOG.warning("%s is sent again, after it succeeded", unknown.called(environ, body))
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _asked(self, environ: Environ, body: bytes) -> _Answer:
        begun = time.monotonic()
        status, headers = "", list[tuple[str, str]]()

        def start(given: str, named: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
            nonlocal status, headers
            status, headers = given, named
            return lambda _: None  # the old way to write, which nothing here uses

        try:
            content = b"".join(self._aws(environ, start))
        except Exception as error:
            content = b"".join(unknown.refusal(environ, body, error)(environ, start))
        answer = _Answer(status, headers, content)
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("%s: %s, %.3f s", unknown.called(environ, body), answer.status, time.monotonic() - begun)
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        if invocation and answer.status.startswith("2") and len(content) <= _SMALL:
            self._answers[invocation] = answer
            if len(self._answers) > _REMEMBERED:
                del self._answers[next(iter(self._answers))]
        return answer


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
