"""The runs of every `make local` on this machine. Each one describes itself in a file of its temporary folder."""

from __future__ import annotations

import os
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from http.client import HTTPException
from pathlib import Path

import msgspec

FILES = "servestack-*/served.json"
"""Below the folder for temporary files (local/served.py)."""
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opens addresses of this machine, so it uses no proxy."""
PATIENCE = 5.0
"""Seconds for an answer from this machine. The gateway waits up to 3 s for a server that does not answer."""


@dataclass(frozen=True, kw_only=True)
class LocalRun:
    """A run that `make local` serves."""

    run: str
    url: str
    model: str | None
    """`None`: it has no model."""
    configuration: str
    """Path of the configuration."""
    server: str
    """A description of the server that answers."""
    since: datetime
    state: str = "serving"
    """`serving`, or what the gateway says: `down`, `failing`, …"""
    requests_per_second: float | None = None
    """Over the last minute; `None`: not known, because the run needs an API key."""
    tokens_per_second: float | None = None
    """The same of generated tokens."""


class _Said(msgspec.Struct, frozen=True):
    """A run in the answer to `GET /runs`."""

    run: str
    state: str
    requests_per_second: float | None = None
    tokens_per_second: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    data: list[_Said]


class _Served(msgspec.Struct, frozen=True):
    gateway: str
    runs: list[LocalRun]
    request_lines: str | None = None
    """Path of the file with its request lines."""


def local_runs() -> tuple[LocalRun, ...]:
    """Return the runs that answer now, the newest first. A `make local` that was killed leaves a file, but no gateway
    that answers."""
    return tuple(run for one in _newest() for run in _runs_of(one))


def local_request_lines() -> tuple[Path, ...]:
    """Return the files with the request lines of the gateways that answer now. A file may not exist yet."""
    return tuple(Path(one.request_lines) for one in _newest() if one.request_lines and _answers(one.gateway))


def _newest() -> Iterator[_Served]:
    """Yield what each gateway last wrote, the newest first."""
    served: dict[str, _Served] = {}
    for one in sorted(_files(), key=lambda one: one.runs[0].since):
        served[one.gateway] = one
    yield from reversed(served.values())


def _files() -> Iterator[_Served]:
    """Yield what this user's processes wrote. Everyone can write to the folder for temporary files."""
    for path in Path(tempfile.gettempdir()).glob(FILES):
        try:
            if path.stat().st_uid != os.getuid():
                continue
            served = msgspec.json.decode(path.read_bytes(), type=_Served)
        except (OSError, msgspec.DecodeError):  # it has just ended
            continue
        if served.runs and served.gateway.startswith("http://127.0.0.1:"):
            yield served


def _runs_of(served: _Served) -> Iterator[LocalRun]:
    """Yield the runs of a gateway with what it says about them; none if it does not answer. It says nothing about runs
    that need an API key."""
    try:
        with _OPENER.open(f"{served.gateway}/runs", timeout=PATIENCE) as answer:
            said = {one.run: one for one in msgspec.json.decode(answer.read(), type=_Answer).data}
    except (OSError, HTTPException, msgspec.DecodeError):
        return
    for run in served.runs:
        found = said.get(run.run)
        if found is not None:
            yield replace(
                run,
                state="serving" if found.state == "ready" else found.state,
                requests_per_second=found.requests_per_second,
                tokens_per_second=found.tokens_per_second,
            )
        else:
            yield run


def _answers(gateway: str) -> bool:
    try:
        with _OPENER.open(f"{gateway}/healthz", timeout=PATIENCE) as answer:
            return answer.status == 200
    except (OSError, HTTPException):
        return False
