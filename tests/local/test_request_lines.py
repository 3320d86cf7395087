"""What `make local` writes down of requests: lines in a file that it names, a line on the console, and `/metrics`."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from commands.usage.__main__ import Means, main
from tests.gateway.request_lines import FAST, expected, plain
from tests.support.local_service import MISTRAL_MODEL, LocalService
from tests.support.processes import wait_until

ASKED = {"model": MISTRAL_MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "temperature": 0}


def file_of(service: LocalService) -> Path:
    """The file with the lines of its gateway, as `make local` names it."""
    found: list[str] = []
    for path in Path(tempfile.gettempdir()).glob("servestack-*/served.json"):
        with contextlib.suppress(FileNotFoundError):  # another one has just ended
            served = json.loads(path.read_text())
            found += [served["request_lines"]] * (served["gateway"] == service.url)
    (lines,) = found
    return Path(lines)


def lines_of(service: LocalService, answer: httpx.Response) -> dict[str, dict[str, Any]]:
    """The lines of all requests so far, by their ids. That of the request with this answer is waited for."""
    last, file = answer.headers["x-request-id"], file_of(service)

    def whole() -> dict[str, dict[str, Any]]:
        text = file.read_text()
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return {line["request_id"]: line for line in lines}

    wait_until(lambda: last in whole(), what="a request line")
    return whole()


def tokens(service: LocalService) -> dict[str, float]:
    families = text_string_to_metric_families(httpx.get(f"{service.url}/metrics").text)
    labels = {"run": service.run, "model_name": MISTRAL_MODEL}
    found = {sample.name: sample for family in families for sample in family.samples if sample.labels == labels}
    return {name: found[name].value for name in ("vllm:prompt_tokens_total", "vllm:generation_tokens_total")}


def test_a_request_has_a_line_in_the_file_a_line_on_the_console_and_its_tokens_in_the_metrics(
    service: LocalService,
) -> None:
    url = f"{service.url}/v1/chat/completions"
    whole = httpx.post(url, json=ASKED)
    usage = whole.json()["usage"]
    before = tokens(service)
    streamed = httpx.post(url, json={**ASKED, "stream": True})
    counts = {"PromptTokens": usage["prompt_tokens"], "CompletionTokens": 5}
    lines = lines_of(service, streamed)
    told = {"Run": service.run, "model": MISTRAL_MODEL, **counts}
    route = "POST /v1/chat/completions"
    assert plain(lines[whole.headers["x-request-id"]]) == expected(route, **told)
    assert plain(lines[streamed.headers["x-request-id"]]) == expected(route, **told, **FAST)
    after = tokens(service)
    assert {name: after[name] - before[name] for name in after} == {
        "vllm:prompt_tokens_total": usage["prompt_tokens"],
        "vllm:generation_tokens_total": 5,
    }
    written = rf"POST /v1/chat/completions {service.run} 200 \d+\.\d{{3}} s {usage['prompt_tokens']}\+5 tokens"
    service.process.wait_for(lambda output: re.search(written, output) is not None)


def test_make_usage_counts_these_lines(service: LocalService, capsys: pytest.CaptureFixture[str]) -> None:
    def nobody(*_: Any) -> Any:
        raise AssertionError("the command asks AWS")

    last = httpx.post(f"{service.url}/v1/chat/completions", json={**ASKED, "stream": True})
    lines = lines_of(service, last).values()
    here = (file_of(service),)
    means = Means(pulumi=nobody, clients=nobody, local=lambda: here, now=lambda: datetime.now(UTC), clock=nobody)
    assert main(["--csv"], means=means) == 0
    rows = {row["run"]: row for row in csv.DictReader(capsys.readouterr().out.splitlines())}
    of_run = [line for line in lines if line.get("Run") == service.run]
    counted = [rows[service.run][name] for name in ("requests", "errors", "prompt_tokens", "completion_tokens")]
    summed = [
        sum(line.get(name, 0) for line in of_run) for name in ("Requests", "Errors", "PromptTokens", "CompletionTokens")
    ]
    assert counted == [str(each) for each in summed]
    assert float(rows[service.run]["ttft_p50_ms"]) > 0
