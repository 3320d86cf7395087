"""The gateway as it is started for real: its settings and its signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

from gateway_lambda.settings import VARIABLES, Settings, SettingsError, from_environment
from tests.gateway.scripted_tgi import Asked, Write, events, never, stream
from tests.gateway.serving import HI, Bench, read_events


@contextmanager
def process(bench: Bench, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m gateway_lambda`, or Python with other arguments, on a port of the system's choice, which it says in
    its log."""
    bench.write_registry()
    given = {
        **os.environ,
        "GATEWAY_REGISTRY": f"file:{bench.file}",
        "PORT": "0",
        "GATEWAY_LOG": "info",
        **environment,
    }
    command = [sys.executable, *(arguments or ("-m", "gateway_lambda"))]
    started = subprocess.Popen(command, env=given, stderr=subprocess.PIPE)
    try:
        assert started.stderr is not None
        while b"running on" not in (line := started.stderr.readline()):
            assert line, "it ended before it served"
        yield started, line.split(b"running on ")[1].split()[0].decode()
    finally:
        if started.poll() is None:
            started.kill()
        started.wait(60)
        assert started.stderr is not None
        started.stderr.close()


def test_it_serves_what_the_registry_holds(bench: Bench) -> None:
    with process(bench, GATEWAY_DOMAIN="example.com") as (_, url):
        assert httpx.post(f"{url}/chat/completions", json={"model": "m", "messages": HI}).status_code == 200
        assert httpx.get(f"{url}/own", headers={"host": "run.example.com"}).status_code == 200
        assert bench.tgi.asked[-1].path == "/own"
        response = httpx.get(f"{url}/healthz")
        assert {name for name in ("server", "date") if name in response.headers} == set()


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.0"])
def test_an_offer_of_another_protocol_is_declined_and_the_body_read(bench: Bench, offer: str) -> None:
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": offer, "http2-settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    body = {"model": "m", "messages": HI, "user": "\r\nupgrade: h2c\r\n\r\nUpgrade: h2c"}
    with process(bench, GATEWAY_DOMAIN="example.com") as (_, url), httpx.Client() as client:
        for _ in range(2):
            assert client.post(f"{url}/chat/completions", json=body, headers=headers).status_code == 200
        assert client.post(f"{url}/own", json=body, headers={**headers, "host": "run.example.com"}).status_code == 200
        asked = bench.tgi.asked[-1]
    assert json.loads(asked.body) == body
    assert {name for name in ("connection", "upgrade", "http2-settings") if name in asked.headers} == set()


def test_a_body_that_comes_after_its_answer_is_not_taken_for_a_head(bench: Bench) -> None:
    late = b"\r\nUpgrade: h2c\r\n\r\n"
    head = b"POST /services/nobody/ HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (len(late) + 1)
    with process(bench) as (_, url):
        connection = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
        with connection, connection.makefile("rb") as answers:
            connection.sendall(head + b"x")
            assert _status(answers) == b"404"
            connection.sendall(late)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            assert _status(answers) == b"200"


def _status(answers: BinaryIO) -> bytes:
    """Of the next response, which is read to its end."""
    status, length = answers.readline().split()[1], 0
    while header := answers.readline().strip():
        name, _, value = header.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    answers.read(length)
    return status


def test_a_stream_ends_properly_after_sigterm(bench: Bench) -> None:
    go_on = asyncio.Event()
    bench.tgi.usual = stream(*events("a", finish=None), go_on.wait(), *events("b"))
    with (
        process(bench) as (started, url),
        httpx.stream(
            "POST", f"{url}/v1/chat/completions", json={"model": "m", "messages": HI, "stream": True}
        ) as found,
    ):
        pieces = found.iter_text()
        text = next(pieces)
        started.send_signal(signal.SIGTERM)
        bench.loop.call(go_on.set)
        text += "".join(pieces)
        assert started.wait(60) in (0, -signal.SIGTERM)
    assert [each if each == "[DONE]" else each["choices"][0]["delta"] for each in read_events(text)] == [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"content": "b"},
        {},
        "[DONE]",
    ]


@pytest.mark.parametrize("choices", [1, 4])
def test_a_stream_that_outlives_the_grace_time_ends_with_an_error(bench: Bench, choices: int) -> None:
    async def endless(asked: Asked, write: Write) -> None:
        await stream(*events("a", finish=None), asyncio.Event().wait())(asked, write)

    bench.tgi.usual = endless
    with (
        process(bench, GATEWAY_GRACE="1") as (started, url),
        httpx.stream(
            "POST",
            f"{url}/v1/chat/completions",
            json={"model": "m", "messages": HI, "stream": True, "n": choices},
        ) as found,
    ):
        pieces = found.iter_text()
        text = next(pieces)
        started.send_signal(signal.SIGTERM)
        text += "".join(pieces)
        assert started.wait(60) in (0, -signal.SIGTERM)
    assert read_events(text)[-1]["error"]["code"] == "service_unavailable"
    assert bench.tgi.generated[0].closed.wait(60)


@pytest.mark.parametrize("grace", ["0", "1"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/services/run/own"])
def test_a_stream_that_is_passed_on_ends_with_an_error_too(bench: Bench, path: str, grace: str) -> None:
    bench.registry["services"] = [bench.service(format="openai")]
    bench.tgi.usual = stream(b"data: 1\n\n", asyncio.Event().wait())
    with (
        process(bench, GATEWAY_GRACE=grace) as (started, url),
        httpx.stream("POST", url + path, json={"model": "m", "messages": HI, "stream": True}) as found,
    ):
        pieces = found.iter_text()
        assert next(pieces) == "data: 1\n\n"
        started.send_signal(signal.SIGTERM)
        assert read_events(next(pieces))[-1]["error"]["code"] == "service_unavailable"
        if path == "/services/run/own":
            with pytest.raises(httpx.RemoteProtocolError):
                next(pieces)
        else:
            assert list(pieces) == []
        assert started.wait(60) in (0, -signal.SIGTERM)


EARLY = """
import runpy, sys
from gateway_lambda.server import deadline
deadline._MARGIN, deadline._LARGEST_SHARE = 60.0, float(sys.argv[1])
runpy.run_module("gateway_lambda", run_name="__main__")
"""
"""A gateway that leaves a larger share of the time for the end of an answer: this machine may stand still meanwhile."""


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/services/run/own"])
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "plain"])
def test_behind_an_adapter_an_answer_ends_before_the_functions_deadline(bench: Bench, path: str, streams: bool) -> None:
    first = b"data: 1\n\n"
    bench.registry["services"] = [bench.service(format="openai")]
    bench.tgi.usual = stream(first, asyncio.Event().wait()) if streams else never
    # Of 40 s, the gateway leaves all but 5 s, in which a stream has to begin, or but 1 s.
    early = ("-c", EARLY, str(35 / 40 if streams else 39 / 40))
    with process(bench, *early, GATEWAY_BEHIND="adapter") as (_, url), httpx.Client() as client:
        deadline = time.time() + 40
        headers = {"x-amzn-lambda-context": json.dumps({"deadline": int(deadline * 1000)})}
        body = {"model": "m", "messages": HI}
        with client.stream("POST", url + path, json=body, headers=headers) as found:
            pieces = found.iter_bytes()
            if streams:
                assert next(pieces) == first
                assert read_events(next(pieces).decode())[-1]["error"]["code"] == "out_of_time"
            else:
                assert found.status_code == 504
                assert json.loads(next(pieces))["error"]["code"] == "out_of_time"
            assert time.time() < deadline
    assert bench.tgi.asked[-1].closed.wait(60), "the generation goes on for nobody"


@pytest.mark.parametrize("grace", ["0", "1"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/services/run/own"])
def test_a_plain_request_that_outlives_the_grace_time_is_503(bench: Bench, path: str, grace: str) -> None:
    asked = threading.Event()

    async def never_answers(request: Asked, write: Write) -> None:
        asked.set()
        await asyncio.Event().wait()

    bench.registry["services"] = [bench.service(format="openai")]
    bench.tgi.usual = never_answers
    with process(bench, GATEWAY_GRACE=grace) as (started, url), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, url + path, json={"model": "m", "messages": HI})
        assert asked.wait(60)
        started.send_signal(signal.SIGTERM)
        assert (answer.result().status_code, answer.result().json()["error"]["code"]) == (503, "service_unavailable")
        assert started.wait(60) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"GATEWAY_REGISTRY": ""}, "GATEWAY_REGISTRY=''"),
        ({"GATEWAY_REGISTRY": "file:/nowhere/registry.json"}, "/nowhere/registry.json"),
        ({"PORT": "http"}, "PORT='http'"),
    ],
)
def test_it_says_in_one_line_what_it_cannot_start_with(environment: dict[str, str], says: str) -> None:
    given = {**os.environ, "GATEWAY_REGISTRY": "file:/nowhere/registry.json", **environment}
    found = subprocess.run([sys.executable, "-m", "gateway_lambda"], env=given, capture_output=True, timeout=500)
    assert found.returncode == 1
    assert found.stdout == b""
    (line,) = found.stderr.decode().splitlines()
    assert says in line


def test_every_setting_has_a_variable_and_its_default() -> None:
    assert set(VARIABLES) == set(Settings.__struct_fields__)
    assert from_environment({"GATEWAY_REGISTRY": "file:x", "PORT": " "}) == Settings(registry="file:x")


def test_settings_are_read_from_the_environment() -> None:
    given = {
        "GATEWAY_REGISTRY": "dynamodb:table",
        "GATEWAY_DOMAIN": ".Example.COM.",
        "GATEWAY_UPSTREAM": "http://balancer.internal/",
        "HOST": "0.0.0.0",
        "PORT": "9000",
        "GATEWAY_KEEP_ALIVE": "2.5",
        "GATEWAY_MAX_BODY_BYTES": "1000",
    }
    assert from_environment(given) == Settings(
        registry="dynamodb:table",
        domain="example.com",
        upstream="http://balancer.internal",
        host="0.0.0.0",
        port=9000,
        keep_alive=2.5,
        max_body_bytes=1000,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GATEWAY_REGISTRY", "table"),
        ("PORT", "99999"),
        ("PORT", "-1"),
        ("PORT", "8000.5"),
        ("GATEWAY_KEEP_ALIVE", "0"),
        ("GATEWAY_KEEP_ALIVE", "nan"),
        ("GATEWAY_KEEP_ALIVE", "inf"),
        ("GATEWAY_UPSTREAM", "balancer.internal"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_value(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment({"GATEWAY_REGISTRY": "file:x", variable: value})
    assert variable in str(refused.value)
    assert repr(value) in str(refused.value) or value in str(refused.value)


def test_the_folder_is_where_the_documentation_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
    missing = [variable for variable in VARIABLES.values() if f"`{variable}`" not in page]
    assert missing == []
