"""What `make local` writes down of requests: lines in a file that it names, a line on the console, and `/metrics`."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.request_lines import FAST, expected, plain
from tests.support.local_service import MISTRAL_MODEL, LocalService

ASKED = {"model": MISTRAL_MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "temperature": 0}


def lines_of(service: LocalService) -> dict[str, dict[str, Any]]:
    """The lines of all requests so far, by their ids."""
    found = [json.loads(path.read_text()) for path in Path(tempfile.gettempdir()).glob("servestack-*/served.json")]
    (path,) = [served["request_lines"] for served in found if served["gateway"] == service.url]
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return {line["request_id"]: line for line in lines}


def tokens(service: LocalService) -> dict[str, float]:
    families = text_string_to_metric_families(httpx.get(f"{service.url}/metrics").text)
    found = {sample.name: sample for family in families for sample in family.samples if sample.labels.get("run")}
    return {name: found[name].value for name in ("vllm:prompt_tokens_total", "vllm:generation_tokens_total")}


def test_a_request_has_a_line_in_the_file_a_line_on_the_console_and_its_tokens_in_the_metrics(
    service: LocalService,
) -> None:
    url = f"{service.url}/v1/chat/completions"
    whole = httpx.post(url, json=ASKED, timeout=60)
    usage = whole.json()["usage"]
    before = tokens(service)
    streamed = httpx.post(url, json={**ASKED, "stream": True}, timeout=60)
    counts = {"PromptTokens": usage["prompt_tokens"], "CompletionTokens": 5}
    lines = lines_of(service)
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
