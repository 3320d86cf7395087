"""What a plain request costs: how often it calls the gateway's functions. No clock is needed to count that."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType

import pytest

import gateway_lambda
from tests.gateway.keys import ALL, record, secret
from tests.gateway.raw_http import Caller
from tests.gateway.scripted_tgi import answer, reply
from tests.gateway.serving import HI, Bench
from tests.gateway.test_openai_format import COMPLETION

LIMITED = {**record("limited"), "requests_per_minute": 6000, "tokens_per_day": 1_000_000, "max_concurrent": 8}
REQUESTS = 20
GATEWAY = str(Path(gateway_lambda.__file__).parent)
"""The libraries are not counted, so that another version of them changes nothing."""


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("path", "model", "key", "most"),
    [
        ("/v1/chat/completions", "tgi", "all", 192),
        ("/v1/chat/completions", "openai", "all", 112),
        ("/services/openai/v1/chat/completions", "openai", "all", 97),
        ("/v1/chat/completions", "tgi", "limited", 228),
        ("/v1/chat/completions", "shared", "all", 138),
    ],
    ids=["translated", "passed to a model", "passed to a run", "counted in memory", "passed to one of two runs"],
)
def test_a_plain_request_does_not_become_dearer(
    bench: Bench, tmp_path: Path, path: str, model: str, key: str, most: int
) -> None:
    """`most` is a tenth above what was counted. Raise it only for what every request needs. The gateway writes request
    lines, as on AWS. No timer runs, because slow requests would have more of them."""
    openai = bench.upstream()
    openai.usual = reply(200, json.dumps(COMPLETION))
    bench.tgi.usual = answer("a", "b", "c", "</s>*")
    bench.register(
        bench.service("tgi", auth=True, model="tgi"),
        bench.service("openai", auth=True, model="openai", format="openai", url=openai.url),
        *(
            {**bench.service(run, auth=True, model="shared", format="openai", url=openai.url), "weight": 1}
            for run in "ab"
        ),
        keys=(ALL, LIMITED),
    )
    body = json.dumps({"model": model, "messages": HI, "max_tokens": 16, "temperature": 0.7})
    request = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret(key)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(GATEWAY)

    bench.serve(request_lines=str(tmp_path / "lines"))
    with Caller(bench.port) as caller:
        for _ in range(3):
            assert caller.send(request).answer().status == 200
        bench.loop.call(lambda: sys.setprofile(count))
        try:
            for _ in range(REQUESTS):
                assert caller.send(request).answer().status == 200
        finally:
            bench.loop.call(lambda: sys.setprofile(None))
    assert 0.7 * most < calls / REQUESTS <= most
