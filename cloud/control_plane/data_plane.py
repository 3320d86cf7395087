"""The routes under `/cloud/`: what machines, load balancers and the API need and AWS has no public call for.

GET  /cloud/changes?after=N        {"version": M} once M > N, at the latest after 5 seconds
GET  /cloud/instances              every instance, with the loopback address that is its own
PUT  /cloud/instances/<id>         {"state": "running" | "stopped" | "terminated"}: what became of it
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from cloud.control_plane import machines
from cloud.control_plane.changes import CHANGES, WORLD

POLL = 5.0
"""Seconds that a question about changes waits at most."""


class DataPlane:
    """Answers these routes. Other parts of the process add theirs with `add`."""

    def __init__(self) -> None:
        self._map = Map()
        self._handlers: dict[str, Any] = {}
        self.add("GET", "/cloud/changes", self._changes)
        self.add("GET", "/cloud/instances", _instances)
        self.add("PUT", "/cloud/instances/<id>", _became)

    def add(self, method: str, path: str, handler: Any) -> None:
        """Answer a route: `handler(request, **parts of the path)` returns JSON, bytes or `None`.

        A handler runs with the world locked, unless it has an attribute `waits`.
        """
        endpoint = f"{method} {path}"
        self._map.add(Rule(path, endpoint=endpoint, methods=[method]))
        self._handlers[endpoint] = handler

    def __call__(self, environ: dict[str, Any], body: bytes) -> Response:
        request = Request(environ)
        request.data = body  # pyright: ignore[reportAttributeAccessIssue]
        try:
            endpoint, parts = self._map.bind_to_environ(environ).match()
            handler = self._handlers[endpoint]
            if getattr(handler, "waits", False) or handler == self._changes:
                answer = handler(request, **parts)
            else:
                with WORLD:
                    answer = handler(request, **parts)
        except HTTPException as error:
            return _json({"error": error.description}, error.code or 500)
        except (KeyError, ValueError) as error:
            return _json({"error": f"{request.method} {request.path}: {type(error).__name__}: {error}"}, 400)
        return Response(answer, mimetype="application/octet-stream") if isinstance(answer, bytes) else _json(answer)

    def _changes(self, request: Request) -> Mapping[str, int]:
        return {"version": CHANGES.after(int(request.args.get("after", 0)), within=POLL)}


def _instances(_: Request) -> Sequence[Mapping[str, Any]]:
    return machines.listed()


def _became(request: Request, id: str) -> Mapping[str, Any]:
    return machines.became(id, members(request)["state"])


def members(request: Request) -> Mapping[str, Any]:
    """The JSON object in a request's body. Raises `ValueError` if the body is anything else."""
    found: Any = json.loads(request.data)
    if not isinstance(found, Mapping):
        raise ValueError("the body must be a JSON object")
    return cast("Mapping[str, Any]", found)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")
