"""A client of the routes under `/cloud/`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ControlPlane:
    """The routes of one control plane. Calls raise `OSError` if it does not answer, and `Refused` if it refuses."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def version_after(self, version: int) -> int:
        """Return the version of what exists, as soon as it is above `version`, at the latest after 5 seconds."""
        return int(self._json("GET", f"changes?after={version}")["version"])

    def instances(self) -> Sequence[Mapping[str, Any]]:
        """Every instance."""
        return self._json("GET", "instances")

    def instance_became(self, id: str, state: str) -> None:
        """Say that a machine is now `running`, `stopped` or `terminated`."""
        self._json("PUT", f"instances/{id}", {"state": state})

    def spot_notice(self, id: str) -> Mapping[str, float | None]:
        """What EC2 has told an instance: `recommended` and `ends`, in seconds since 1970; `None`: nothing."""
        return self._json("GET", f"spot/{id}")

    def report_targets(self, target_group: str, targets: Sequence[Mapping[str, Any]]) -> None:
        """Say what the load balancer knows of the targets of a group: id, port, state, reason, description."""
        self._json("PUT", "target-health", {"target_group": target_group, "targets": targets})

    def functions(self) -> Sequence[Mapping[str, Any]]:
        """Every function."""
        return self._json("GET", "functions")

    def code(self, region: str, name: str) -> bytes:
        """The zip of a function."""
        return self._bytes("GET", f"functions/{region}/{name}/code")

    def resources(self) -> Sequence[Mapping[str, Any]]:
        """What exists that was not there at the start."""
        return self._json("GET", "resources")

    def _json(self, method: str, path: str, body: object = None) -> Any:
        return json.loads(self._bytes(method, path, body))

    def _bytes(self, method: str, path: str, body: object = None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 (the control plane's own address)
            f"{self.url}/cloud/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(f"{method} /cloud/{path}: {error.code} {error.read().decode(errors='replace')}") from None


class Refused(Exception):
    """The control plane refuses a call, and says why."""
