"""Two hundred requests, eight at once, and nothing that one of them leaves behind."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.support.local_service import LLAMA_2_MODEL, MISTRAL_MODEL, LocalService
from tests.support.processes import wait_until
from tests.support.requirements import require

REQUESTS = 208
STREAMS = REQUESTS // 2
CUT_OFF = STREAMS // 4
AT_ONCE = 8
TOKENS = 3
"""Of an answer that is read to its end."""
CUT_OFF_TOKENS = 400
"""Of an answer that its client leaves: long enough that one which goes on would be seen."""
FIRST_TEXT = re.compile(r'"(content|text)":\s?"[^"]')
"""Text in an event of either interface."""
GROWTH_MB = 10
"""Memory that caches may still take while they fill up; 0.2 were measured."""


@pytest.mark.timeout(600)
def test_two_hundred_requests_of_every_kind_leave_nothing_behind(service: LocalService) -> None:
    require("linux")
    asyncio.run(_ask(service, range(AT_ONCE)))
    before = _memory_mb(service)
    outcomes = asyncio.run(_ask(service, range(REQUESTS)))
    assert outcomes == {"answered": REQUESTS // 2, "streamed": STREAMS - CUT_OFF, "cut off": CUT_OFF}
    wait_until(lambda: _running(service) == 0, what="the end of every generation that was cut off")
    assert _memory_mb(service) - before < GROWTH_MB


def test_nothing_to_do_costs_nothing(service: LocalService) -> None:
    """Processor time of all processes together, over a few seconds of being idle."""
    require("linux")
    wait_until(lambda: _running(service) == 0, what="the end of other tests' generations")
    before, began = _processor_seconds(service), time.monotonic()
    time.sleep(4)
    used = _processor_seconds(service) - before
    assert used / (time.monotonic() - began) < 0.02


def test_everything_together_is_under_700_mb(service: LocalService) -> None:
    require("linux")
    assert _memory_mb(service) < 700


async def _ask(service: LocalService, numbers: range) -> Counter[str]:
    """Half whole answers, half streams, a quarter of those cut off at their first text; half chats, half TGI's own."""
    places = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=service.url, timeout=300) as client:

        async def one(number: int) -> str:
            async with places:
                if number % 2 == 0:
                    return await _whole(client, number, service.run)
                return await _stream(client, number, service.run, cut_off=number % 16 in (1, 3))

        return Counter(await asyncio.gather(*map(one, numbers)))


async def _whole(client: httpx.AsyncClient, number: int, run: str) -> str:
    path, body = _request(number, run, TOKENS, stream=False)
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return "answered"


async def _stream(client: httpx.AsyncClient, number: int, run: str, *, cut_off: bool) -> str:
    path, body = _request(number, run, CUT_OFF_TOKENS if cut_off else TOKENS, stream=True)
    last = ""
    async with client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            last = line or last
            if cut_off and FIRST_TEXT.search(line):
                return "cut off"
    assert "[DONE]" in last or '"finish_reason"' in last, last
    return "streamed"


def _request(number: int, run: str, tokens: int, *, stream: bool) -> tuple[str, dict[str, object]]:
    """A path and a body: a chat, or a generation of the run itself."""
    text = f"Tell {number}"
    if number % 4 < 2:
        message = {"role": "user", "content": text}
        model = MISTRAL_MODEL if tokens == CUT_OFF_TOKENS else LLAMA_2_MODEL  # its template writes the shorter prompt
        body = {"model": model, "messages": [message], "max_tokens": tokens, "seed": number, "stream": stream}
        return "/v1/chat/completions", body
    parameters = {"max_new_tokens": tokens, "seed": number, "do_sample": True, "details": True}
    return f"/services/{run}/generate{'_stream' if stream else ''}", {"inputs": text, "parameters": parameters}


def _running(service: LocalService) -> int:
    """Generations in progress, by the model server's own metrics."""
    lines = httpx.get(f"{service.url}/services/{service.run}/metrics").text.splitlines()
    sizes = [line.split()[-1] for line in lines if line.startswith(("tgi_batch_current_size", "tgi_queue_size"))]
    if not sizes:
        pytest.fail("the metrics have neither tgi_batch_current_size nor tgi_queue_size")
    return int(sum(map(float, sizes)))


def _processes(service: LocalService) -> list[Path]:
    """The launcher and all below it."""
    found = [Path(f"/proc/{service.process.pid}")]
    for process in found:
        children = (process / "task" / process.name / "children").read_text().split()
        found += [Path(f"/proc/{pid}") for pid in children]
    return found


def _memory_mb(service: LocalService) -> float:
    """Resident memory of all processes. Pages that two of them share count in each."""
    total = 0
    for process in _processes(service):
        (line,) = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS")]
        total += int(line.split()[1])
    return total / 1024


def _processor_seconds(service: LocalService) -> float:
    total = 0
    for process in _processes(service):
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / 100
