"""The line of each request: what is in it, what is not, and when it comes."""

from __future__ import annotations

import asyncio
import re
from typing import IO

import httpx

from tests.gateway.scripted_tgi import events, stream
from tests.gateway.serving import HI, Bench
from tests.gateway.test_process import process

BODY = {"model": "m", "messages": HI}


def test_each_request_has_a_line_without_query_body_and_key(bench: Bench) -> None:
    key = {"authorization": "Bearer sk-unspeakable"}
    with process(bench, GATEWAY_LOG_REQUESTS="1", GATEWAY_DOMAIN="localhost") as (started, url):
        httpx.get(f"{url}/healthz")
        httpx.post(f"{url}/v1/chat/completions?api_key=unspeakable", json=BODY, headers=key)
        httpx.post(f"{url}/v1/chat/completions", json={**BODY, "model": "unspeakable"}, headers=key)
        httpx.get(f"{url}/services/run/own?token=unspeakable")
        httpx.get(f"{url}/own", headers={"host": "run.localhost"})
        httpx.get(f"{url}/services/nowhere/{'x' * 300}")
        assert started.stderr is not None
        assert [_line(started.stderr) for _ in range(5)] == [
            "HH:MM:SS POST /v1/chat/completions run 200 N s 7+4 tokens",
            "HH:MM:SS POST /v1/chat/completions - 404 N s",
            "HH:MM:SS GET /services/run/own run 200 N s ?+4 tokens",
            "HH:MM:SS GET /own run 200 N s ?+4 tokens",
            f"HH:MM:SS GET /services/nowhere/{'x' * 182}… - 404 N s",
        ]


def test_the_line_of_a_stream_comes_when_it_ends_and_says_that_the_client_left(bench: Bench) -> None:
    bench.tgi.usual = stream(*events("a", "b")[:1], asyncio.Event().wait())
    with process(bench, GATEWAY_LOG_REQUESTS="1") as (started, url), httpx.Client() as client:
        with client.stream("POST", f"{url}/v1/chat/completions", json={**BODY, "stream": True}) as response:
            pieces = response.iter_raw()
            next(pieces)
            httpx.get(f"{url}/v1/models")
        assert started.stderr is not None
        assert [_line(started.stderr) for _ in range(2)] == [
            "HH:MM:SS GET /v1/models - 200 N s",
            "HH:MM:SS POST /v1/chat/completions run 200 N s ?+1 tokens (the client left)",
        ]


def test_without_the_setting_there_are_no_lines(bench: Bench) -> None:
    with process(bench) as (started, url):
        assert httpx.post(f"{url}/v1/chat/completions", json=BODY).status_code == 200
        started.terminate()
        started.wait(20)
        assert started.stderr is not None
        assert b"POST" not in started.stderr.read()


def _line(output: IO[bytes]) -> str:
    """The next line, with its time and duration written as letters."""
    line = re.sub(r"^\d\d:\d\d:\d\d", "HH:MM:SS", output.readline().decode().rstrip())
    return re.sub(r"\d+\.\d{3} s", "N s", line)
