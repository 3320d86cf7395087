"""The stand-in model, served once for all tests that ask for it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.processes import Process, python, running

GROUP = "local service"
"""The worker of all tests with the stand-in model (tests/local/conftest.py)."""
STANDS_IN_FOR = ("mistralai/Mistral-7B-Instruct-v0.1", "TheBloke/Llama-2-13B-chat-GPTQ")
CONCURRENT = 6
"""What the server of the tests admits: two that generate and four that wait."""


@dataclass(frozen=True)
class ModelServer:
    """A running model server."""

    process: Process
    urls: tuple[str, ...]
    http: httpx.Client

    @property
    def url(self) -> str:
        return self.urls[0]

    def generate(self, inputs: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a request that has to work."""
        response = self.http.post("/generate", json={"inputs": inputs, "parameters": parameters})
        assert response.status_code == 200, response.text
        return response.json()

    def stream(self, inputs: str, **parameters: Any) -> list[dict[str, Any]]:
        """All events of a stream."""
        response = self.http.post("/generate_stream", json={"inputs": inputs, "parameters": parameters})
        assert response.status_code == 200, response.text
        return read_events(response.text)

    def metric(self, name: str) -> float:
        """A number of `/metrics`."""
        [line] = [line for line in self.http.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])


def read_events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def urls_of(output: str) -> tuple[str, ...]:
    [line] = [line for line in output.splitlines() if line.startswith("{")]
    return tuple(service["url"] for service in json.loads(line)["services"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"model_server", "stand_ins"} & set(getattr(item, "fixturenames", ())) and item.get_closest_marker(
            "xdist_group"
        ) is None:
            item.add_marker(pytest.mark.xdist_group(GROUP))


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    """The stand-in for two services."""
    names = [word for name in STANDS_IN_FOR for word in ("--service", json.dumps({"stands_in_for": name}))]
    command = python("-m", "local.model_server", *names, "--max-concurrent-requests", str(CONCURRENT))
    with running(command) as process:
        urls = urls_of(process.wait_for('"services"'))
        with httpx.Client(base_url=urls[0], timeout=100) as http:
            yield ModelServer(process, urls, http)


@dataclass(frozen=True)
class StandIns:
    """Stand-ins with OpenAI's API and with TEI's, each at its own address."""

    process: Process
    vllm: httpx.Client
    """It answers to one name, below /v1."""
    sglang: httpx.Client
    """It answers to any name, below /openai/v1, and is not told what it stands in for."""
    tei: httpx.Client


@pytest.fixture(scope="session")
def stand_ins() -> Iterator[StandIns]:
    """One process with three services: both kinds of models."""
    services: list[dict[str, Any]] = [
        {"api": "openai", "stands_in_for": "org/chat", "model": "org/chat", "names": ["org/chat"]},
        {"api": "openai", "prefix": "/openai/v1"},
        {"api": "tei", "stands_in_for": "org/embed", "model": "org/embed", "batch": 300},
    ]
    words = [word for service in services for word in ("--service", json.dumps(service))]
    with running(python("-m", "local.model_server", *words)) as process, contextlib.ExitStack() as stack:
        urls = urls_of(process.wait_for('"services"'))
        vllm, sglang, tei = (stack.enter_context(httpx.Client(base_url=url, timeout=100)) for url in urls)
        yield StandIns(process, vllm, sglang, tei)
