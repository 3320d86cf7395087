"""Many clients of one model: the same answers, none kept waiting for nothing, an end to everything."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.model_server.llama_settings import SLOTS
from tests.local.model_server.conftest import CONCURRENT, GROUP, ModelServer, read_events, urls_of
from tests.support.processes import python, running

LONG: dict[str, Any] = {"max_new_tokens": 7000, "do_sample": True, "seed": 1, "repetition_penalty": 1.1}
"""A generation that would take more than a minute."""
PROMPTS = ("Once upon a time", "def fibonacci(n):", "1 2 3 4 5", "日本", "The capital of France is", "ha ha ha")
MEMORY = 620
"""Megabytes that the server may have resident, so that all of `make local` stays below 700."""


@pytest.mark.timeout(600)
def test_a_seed_gives_the_same_answer_whatever_runs_beside_it(model_server: ModelServer) -> None:
    def ask(prompt: str) -> dict[str, Any]:
        return model_server.generate(prompt, max_new_tokens=12, do_sample=True, seed=11, details=True, top_n_tokens=2)

    alone = [ask(prompt) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, PROMPTS * 2))

    assert together == alone * 2


def test_two_generate_at_once_and_four_more_wait(model_server: ModelServer) -> None:
    with crowd(model_server, CONCURRENT):
        assert metrics(model_server, "tgi_batch_current_size", "tgi_queue_size") == (2, 4)


def test_one_more_is_told_that_the_model_is_overloaded(model_server: ModelServer) -> None:
    body = {"inputs": "a", "parameters": {"max_new_tokens": 1}}
    with crowd(model_server, CONCURRENT):
        answer = model_server.http.post("/generate", json=body)
        streamed = model_server.http.post("/generate_stream", json=body)

    error = {"error": "Model is overloaded", "error_type": "overloaded"}
    assert (answer.status_code, answer.json()) == (429, error)
    assert (streamed.status_code, read_events(streamed.text)) == (200, [error])


def test_overload_comes_before_the_rules_as_in_tgi(model_server: ModelServer) -> None:
    with crowd(model_server, CONCURRENT):
        assert model_server.http.post("/generate", json={"inputs": ""}).status_code == 429


def test_best_of_counts_as_so_many_requests(model_server: ModelServer) -> None:
    body = {"inputs": "a", "parameters": {"max_new_tokens": 1, "best_of": 2, "do_sample": True}}
    with crowd(model_server, CONCURRENT - 1):
        assert model_server.http.post("/generate", json=body).status_code == 429

    assert model_server.http.post("/generate", json=body).status_code == 200


@pytest.mark.parametrize("path", ["/generate", "/generate_stream", "/"])
def test_a_generation_that_its_client_leaves_is_broken_off(model_server: ModelServer, path: str) -> None:
    before = metrics(model_server, "tgi_request_success")
    leave(model_server, path, {"inputs": "Once upon a time", "parameters": LONG})

    until(lambda: metrics(model_server, "tgi_batch_current_size") == (0,))
    assert metrics(model_server, "tgi_request_success") == before, "it did not come to its own end"


def test_a_prompt_that_is_being_read_is_given_up_too(model_server: ModelServer) -> None:
    inputs = " ".join(str(number) for number in range(250))
    before = metrics(model_server, "tgi_request_success")
    leave(model_server, "/generate", {"inputs": inputs, "parameters": LONG})

    until(lambda: metrics(model_server, "tgi_batch_current_size") == (0,))
    assert metrics(model_server, "tgi_request_success") == before
    model_server.generate("1 2 3 4 5", max_new_tokens=2)


def test_one_who_waits_and_leaves_takes_nobodys_place(model_server: ModelServer) -> None:
    with crowd(model_server, 2):
        leave(model_server, "/generate", {"inputs": "waiting", "parameters": LONG}, there=(2, 1))
        until(lambda: metrics(model_server, "tgi_queue_size") == (0,))

    with crowd(model_server, CONCURRENT):
        assert metrics(model_server, "tgi_batch_current_size", "tgi_queue_size") == (2, 4)


@pytest.mark.timeout(600)
def test_many_clients_of_whom_some_leave_are_all_answered_in_bounded_memory(model_server: ModelServer) -> None:
    def ask(place: int) -> str:
        body = {"inputs": PROMPTS[place % len(PROMPTS)], "parameters": {"max_new_tokens": 6, "top_n_tokens": 1}}
        if place % 2:
            return model_server.http.post("/generate", json=body).text
        with model_server.http.stream("POST", "/generate_stream", json=body) as response:
            lines = response.iter_lines()
            return next(lines) if place % 4 else "".join(lines)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(40)))

    assert [answer for answer in answers if "error" in answer] == []
    assert resident_megabytes(model_server.process.pid) < MEMORY
    until(lambda: metrics(model_server, "tgi_batch_current_size", "tgi_queue_size") == (0, 0))


@pytest.mark.xdist_group(GROUP)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_and_tells_those_who_wait(number: signal.Signals) -> None:
    with running(python("-m", "local.model_server")) as process:
        [url] = urls_of(process.wait_for('"services"'))
        body = {"inputs": "Once upon a time", "parameters": LONG}
        with (
            httpx.Client(base_url=url) as client,
            ThreadPoolExecutor(1) as pool,
            client.stream("POST", "/generate_stream", json=body) as response,
        ):
            whole = pool.submit(httpx.post, f"{url}/generate", json=body)
            lines = response.iter_lines()
            next(lines)
            until(lambda: "tgi_batch_current_size 2" in httpx.get(f"{url}/metrics").text)
            process.signal(number)
            events = [json.loads(line.removeprefix("data: ")) for line in lines if line]
            answer = whole.result()
        status = process.wait(within=60)

    assert events[-1] == {"error": "Incomplete generation stream", "error_type": "incomplete_generation_stream"}
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "Incomplete generation", "error_type": "incomplete_generation"},
    )
    assert (status, process.output.count("\n")) == (0, 1)


def test_a_port_that_is_taken_is_said_with_the_remedy(model_server: ModelServer) -> None:
    port = model_server.url.rpartition(":")[2]
    with running(python("-m", "local.model_server", "--service", json.dumps({"port": int(port)}))) as process:
        assert process.wait() == 1

    assert process.output == (
        f"port {port} of 127.0.0.1: Address already in use; give another port, or 0 for any free one\n"
    )


def metrics(model_server: ModelServer, *names: str) -> tuple[int, ...]:
    return tuple(int(model_server.metric(name)) for name in names)


def until(true: Callable[[], bool], *, within: float = 60) -> None:
    """Ask again and again."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within} s")
        time.sleep(0.02)


def leave(model_server: ModelServer, path: str, body: dict[str, Any], *, there: tuple[int, int] = (1, 0)) -> None:
    """Ask, wait until as many run and wait, and close the connection."""
    began = threading.Event()

    def ask() -> None:
        address = httpx.URL(model_server.url)
        connection = http.client.HTTPConnection(address.host, address.port)
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        began.wait()
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask)
        until(lambda: metrics(model_server, "tgi_batch_current_size", "tgi_queue_size") == there)
        began.set()


@contextlib.contextmanager
def crowd(model_server: ModelServer, count: int) -> Iterator[None]:
    """So many generations at once, which all leave when the block ends."""
    empty = (0, 0)
    there = (min(count, SLOTS), max(count - SLOTS, 0))
    with contextlib.ExitStack() as stack:
        stack.callback(until, lambda: metrics(model_server, "tgi_batch_current_size", "tgi_queue_size") == empty)
        client = stack.enter_context(httpx.Client(base_url=model_server.url))
        for _ in range(count):
            body = {"inputs": "Once", "parameters": LONG}
            stack.enter_context(client.stream("POST", "/generate_stream", json=body))
        until(lambda: metrics(model_server, "tgi_batch_current_size", "tgi_queue_size") == there)
        yield


def resident_megabytes(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) // 1024
