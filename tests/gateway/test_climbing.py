"""A path that climbs is refused before anything is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.gateway.serving import Bench, Loop
from tests.gateway.unguarded import Unguarded, unguarded, with_header


@pytest.fixture
def served(loop: Loop, bench: Bench) -> Iterator[Unguarded]:
    with unguarded(loop, bench) as served:
        yield served


CLIMBING = [
    "/..",
    "/../locked/x",
    "/%2e%2e/locked/x",
    "/%2E./locked/x",
    "/a/..%2flocked",
    "/a%2f..%2fb",
    "/..\\locked",
    "/a%5c..%5cb",
    "/%252e%252e/locked",
    "/%25252e%2525%32e/..%252f",
    "/..;/locked",
    "/..%3bx/locked",
    "/%0d%0aHost:%20locked.internal%0d%0a/%2e%2e/x",
]


@pytest.mark.parametrize("path", CLIMBING)
@pytest.mark.parametrize("host", ["run.example.org", "gateway.example.org", "127.0.0.1"])
def test_a_path_that_climbs_is_refused_at_every_address(served: Unguarded, host: str, path: str) -> None:
    raw = path.encode() if host.startswith("run.") else b"/services/run" + path.encode()
    status, body = served.ask(raw_path=raw, **with_header(b"host", host.encode()))
    assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.ask(raw_path=b"/v1" + path.encode(), **with_header(b"host", host.encode()))[0] == 400
    assert served.upstream.requests == []


@pytest.mark.parametrize("path", CLIMBING)
def test_behind_the_adapter_a_path_that_climbed_before_it_was_resolved_is_refused(served: Unguarded, path: str) -> None:
    for told in (f"/live{path}/services/run/x", f"{path}/services/run/x", f"/live/services/run{path}"):
        context = json.dumps({"stage": "live", "path": told}).encode()
        status, body = served.ask(adapter=True, **with_header(b"x-amzn-request-context", context))
        assert (status, json.loads(body)["error"]["code"]) == (400, "invalid_value")
    assert served.upstream.requests == []
