"""Limits hold across several gateways that share a table, as the instances of the function do."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from gateway_lambda.registry.counters import DAY
from gateway_lambda.registry.record import Key, Model, RateLimit, Service
from infra.components import policies
from infra.planning.table_items import key_item, routing_item
from tests.registry.emulator import TABLE, Account
from tests.support.http_server import serving
from tests.support.processes import python, running, wait_until

pytestmark = pytest.mark.xdist_group("emulator")

PATIENT = """
import runpy, sys, time
real, ahead = time.time_ns, int(sys.argv[1])
time.time_ns = lambda: real() + ahead
from gateway_lambda.registry import dynamodb, table_client, table_counters
dynamodb.PATIENCE_WITHOUT = table_client._PATIENCE_TO_CONNECT = 60.0
table_counters.PATIENCE = table_counters.PATIENCE_TO_CONNECT = table_counters.PATIENCE_AT_END = 60.0
runpy.run_module("gateway_lambda", run_name="__main__")
"""
"""A gateway that waits long for the table: this machine is slower than DynamoDB. Its clock is that many nanoseconds
ahead."""
GATEWAYS = 4
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}


class Upstream:
    """A model server, which answers while `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.url = ""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            upstream.go.wait(100)
            body = json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at statuses."""

    with serving(Handler) as port:
        upstream.url = f"http://127.0.0.1:{port}"
        yield upstream
        upstream.go.set()


@pytest.fixture(scope="module")
def gateways(emulator: Account, upstream: Upstream) -> Iterator[list[str]]:
    """The addresses of gateways with the function's role, over one table."""
    emulator.empty()
    limits = [RateLimit(prefix="/", rps=1e-6, burst=19, header="x-client")]
    model = Model(name="m", format="openai")
    emulator.put(
        routing_item(Service(run="limited", url=upstream.url, auth=False, rate_limits=limits)),
        routing_item(Service(run="keyed", url=upstream.url, model=model)),
        key_item(_key("few", max_concurrent=5)),
        key_item(_key("few@2", max_concurrent=5)),
        key_item(_key("tokens", tokens_per_day=95)),
        key_item(_key("minute", requests_per_minute=1)),
    )
    policy = policies.document(policies.read_registry(emulator.table_arn), policies.count_limits(emulator.table_arn))
    environment = emulator.environment(emulator.assumed("gateways", policy))
    environment |= {"GATEWAY_REGISTRY": f"dynamodb:{TABLE}", "PORT": "0", "GATEWAY_LOG": "info"}
    with contextlib.ExitStack() as started:
        ahead = DAY // 2 - time.time_ns() % DAY  # it is noon: the tokens of a day must not end within a test
        command = python("-c", PATIENT, str(ahead))
        processes = [started.enter_context(running(command, env=environment)) for _ in range(GATEWAYS)]
        outputs = [process.wait_for("running on http") for process in processes]
        yield [output.partition("running on ")[2].split()[0] for output in outputs]
        assert not any("cannot be counted" in process.output for process in processes)


def _key(name: str, **limits: int) -> Key:
    return Key(name=name, sha256=hashlib.sha256(name.encode()).hexdigest(), **limits)


def at_once(gateways: list[str], number: int, ask: Callable[[str, int], int]) -> tuple[list[int], ThreadPoolExecutor]:
    """The statuses as they come, of requests that are spread over the gateways."""
    statuses: list[int] = []
    pool = ThreadPoolExecutor(number)
    for each in range(number):
        pool.submit(lambda each=each: statuses.append(ask(gateways[each % len(gateways)], each)))
    return statuses, pool


def get(path: str, **headers: str) -> Callable[[str, int], int]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda gateway, _: httpx.get(gateway + path, headers=given, timeout=60, verify=False).status_code


def test_of_a_clients_requests_at_once_exactly_the_burst_passes(gateways: list[str]) -> None:
    statuses, pool = at_once(gateways, 60, get("/services/limited/x", x_client="a"))
    pool.shutdown()
    assert Counter(statuses) == {200: 20, 429: 40}
    assert get("/services/limited/x", x_client="b")(gateways[0], 0) == 200


def test_a_persons_keys_run_so_many_requests_at_once_and_no_more(gateways: list[str], upstream: Upstream) -> None:
    def ask(gateway: str, number: int) -> int:
        name = "few@2" if number % 3 else "few"
        return get("/services/keyed/x", authorization=f"Bearer {name}")(gateway, number)

    upstream.go.clear()
    statuses, pool = at_once(gateways, 40, ask)
    wait_until(lambda: len(statuses) >= 35, within=60)
    assert statuses == [429] * 35
    upstream.go.set()
    pool.shutdown()
    assert Counter(statuses) == {429: 35, 200: 5}
    assert [ask(gateway, 0) for gateway in gateways] == [200] * GATEWAYS


def test_tokens_that_one_gateway_counts_are_used_up_for_all(gateways: list[str]) -> None:
    def ask(number: int) -> httpx.Response:
        gateway = gateways[number % GATEWAYS]
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"authorization": "Bearer tokens"}
        return httpx.post(f"{gateway}/v1/chat/completions", json=body, headers=headers, timeout=60, verify=False)

    answers = [ask(number) for number in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    left = [answer.headers["x-ratelimit-remaining-tokens"] for answer in answers]
    assert left == ["95", "85", "75", "65", "55", "45", "35", "25", "15", "5", "0", "0"]


def test_a_minutes_request_passes_one_gateway_alone(gateways: list[str]) -> None:
    ask = get("/services/keyed/x", authorization="Bearer minute")
    statuses, pool = at_once(gateways, 12, ask)
    pool.shutdown()
    assert Counter(statuses) == {200: 1, 429: 11}
