"""`GET /metrics`: Prometheus' text, read by prometheus_client's own parser."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway_lambda.monitoring.tallies import EACH_TOKEN, FIRST_TOKEN, WHOLE
from tests.gateway.keys import ALL, record, secret
from tests.gateway.scripted_tgi import broken_stream, events, failure, never, reply, stream
from tests.gateway.serving import Bench

FAMILIES = {
    "servestack_requests": "counter",
    "servestack_request_errors": "counter",
    "servestack_requests_in_flight": "gauge",
    "vllm:prompt_tokens": "counter",
    "vllm:generation_tokens": "counter",
    "vllm:time_to_first_token_seconds": "histogram",
    "vllm:request_time_per_output_token_seconds": "histogram",
    "vllm:e2e_request_latency_seconds": "histogram",
    "process_virtual_memory_bytes": "gauge",
    "process_resident_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge",
    "process_cpu_seconds": "counter",
    "process_open_fds": "gauge",
    "process_max_fds": "gauge",
}
RUN = (("model_name", "m"), ("run", "run"))
NONE = (("model_name", ""), ("run", ""))


def scrape(bench: Bench, name: str | None = None, **headers: str) -> httpx.Response:
    given = {} if name is None else {"authorization": f"Bearer {secret(name)}"}
    return bench.http.get(f"{bench.url}/metrics", headers={**given, **headers})


def samples(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The value of each sample of the gateway's own, by its name and labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in read_text(text):
        for sample in family.samples:
            if not sample.name.startswith("process_"):
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def ended(route: str, code: int | str, *labels: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted([*labels, ("route", route), ("code", str(code))]))


def test_every_family_has_its_type_and_a_text(bench: Bench) -> None:
    response = scrape(bench)
    assert (response.status_code, response.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    families = list(read_text(response.text))
    assert {family.name: family.type for family in families} == FAMILIES
    assert all(family.documentation for family in families)


def test_prometheus_itself_gets_openmetrics(bench: Bench) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
    response = scrape(bench, accept=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert {family.name: family.type for family in read_openmetrics(response.text)} == FAMILIES


def test_requests_are_counted_by_run_model_route_and_status(bench: Bench) -> None:
    bench.post()
    bench.post(stream=True)
    bench.post(n=2)
    bench.tgi.usual = failure(424, "CUDA out of memory", "generation")
    bench.post()
    bench.tgi.usual = broken_stream(events("a", "b")[0])
    bench.post(stream=True)
    bench.tgi.usual = reply(200, "{}")
    for path in ("/services/run/ann", "/services/run/bob", "/services/ann/x", "/services/bob/x", "/v1/ann", "/v1/bob"):
        bench.http.get(f"{bench.url}{path}")
    bench.http.get(f"{bench.url}/healthz")
    found = samples(scrape(bench).text)
    assert found["servestack_requests_total"] == {
        ended("/v1/chat/completions", 200, *RUN): 4,
        ended("/v1/chat/completions", 500, *RUN): 1,
        ended("/services/run/…", 200, *RUN): 2,
        ended("/services/…", 404, *NONE): 2,
        ended("/…", 404, *NONE): 2,
    }
    assert found["servestack_request_errors_total"] == {RUN: 2}
    assert found["vllm:prompt_tokens_total"] == {RUN: 21}
    assert found["vllm:generation_tokens_total"] == {RUN: 4 + 4 + 8 + 1}
    assert found["vllm:time_to_first_token_seconds_count"] == {RUN: 2}
    assert found["vllm:request_time_per_output_token_seconds_count"] == {RUN: 1}
    assert found["vllm:e2e_request_latency_seconds_count"] == {RUN: 3}
    assert scrape(bench).text.count('route="/metrics"') == 1


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("vllm:time_to_first_token_seconds", FIRST_TOKEN),
        ("vllm:request_time_per_output_token_seconds", EACH_TOKEN),
        ("vllm:e2e_request_latency_seconds", WHOLE),
    ],
)
def test_histograms_have_vllm_s_buckets_and_count_upwards(bench: Bench, name: str, limits: tuple[float, ...]) -> None:
    bench.post(stream=True)
    found = samples(scrape(bench).text)
    buckets = {float(dict(labels)["le"]): count for labels, count in found[f"{name}_bucket"].items()}
    assert list(buckets) == [*limits, float("inf")]
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets[float("inf")], found[f"{name}_count"]) == (1, {RUN: 1})
    (total,) = found[f"{name}_sum"].values()
    assert [limit for limit in limits if buckets[limit]] == [limit for limit in limits if limit >= total > 0]


def test_requests_that_are_being_answered_are_in_flight(bench: Bench) -> None:
    go_on = asyncio.Event()
    first, *rest = events("a", "b", "</s>*")
    bench.tgi.usual = stream(first, go_on.wait(), *rest)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    with httpx.stream("POST", f"{bench.url}/v1/chat/completions", json=body) as response:
        pieces = response.iter_raw()
        next(pieces)
        assert samples(scrape(bench).text)["servestack_requests_in_flight"] == {RUN: 1, NONE: 1}
        bench.loop.call(go_on.set)
        for _ in pieces:
            pass
    assert samples(scrape(bench).text)["servestack_requests_in_flight"] == {NONE: 1}


def test_who_leaves_before_an_answer_has_no_status(bench: Bench) -> None:
    bench.tgi.usual = never
    bench.leave()
    bench.tgi.generated[0].closed.wait(20)
    found: dict[Any, float] = {}
    while ended("/v1/chat/completions", "none", *RUN) not in found:
        found = samples(scrape(bench).text)["servestack_requests_total"]
    assert found[ended("/v1/chat/completions", "none", *RUN)] == 1


@pytest.mark.parametrize(
    ("auth", "keys", "host", "status"),
    [
        (True, (ALL,), "127.0.0.1", 401),
        (False, (ALL,), "127.0.0.1", 401),
        (True, (), "127.0.0.1", 401),
        (False, (), "0.0.0.0", 401),
        (False, (), "127.0.0.1", 200),
        (False, (), "::1", 200),
    ],
)
def test_it_needs_a_key_unless_everything_is_open_and_only_this_machine_can_ask(
    bench: Bench, auth: bool, keys: tuple[dict[str, Any], ...], host: str, status: int
) -> None:
    bench.register(bench.service(auth=auth), keys=keys)
    bench.serve(host=host)
    assert scrape(bench).status_code == status
    assert scrape(bench, authorization="Bearer wrong").status_code == status
    if keys:
        assert scrape(bench, "all").status_code == 200


def test_a_key_sees_the_runs_that_it_may_use(bench: Bench) -> None:
    bench.register(
        bench.service("one", auth=True, model="a"),
        bench.service("two", auth=True, model="b"),
        keys=(ALL, record("some", ["one"])),
    )
    for model in ("a", "b"):
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"authorization": f"Bearer {secret('all')}"}
        assert bench.http.post(f"{bench.url}/v1/chat/completions", json=body, headers=headers).status_code == 200
    runs = {
        name: {dict(labels)["run"] for found in samples(scrape(bench, name).text).values() for labels in found}
        for name in ("some", "all")
    }
    assert runs == {"some": {"", "one"}, "all": {"", "one", "two"}}
    assert "two" not in scrape(bench, "some").text


def test_behind_the_web_adapter_there_is_none_and_the_error_names_cloudwatch(bench: Bench) -> None:
    bench.serve(behind="adapter")
    response = scrape(bench)
    assert (response.status_code, response.json()["error"]["message"]) == (
        404,
        "a gateway on AWS Lambda has no /metrics, because each of its processes sees a few requests; CloudWatch has "
        "the metrics, in the namespace 'servestack': Requests, Errors, PromptTokens, CompletionTokens, "
        "TimeToFirstToken, TokensPerSecond, Duration",
    )


def test_other_methods_are_refused(bench: Bench) -> None:
    response = bench.http.post(f"{bench.url}/metrics")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    response = bench.http.head(f"{bench.url}/metrics")
    assert (response.status_code, response.content) == (200, b"")


def test_without_the_package_the_error_says_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gateway_lambda.monitoring.prometheus_text", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    response = scrape(bench)
    assert (response.status_code, response.json()["error"]["message"]) == (
        404,
        "/metrics needs a package where the gateway runs: pip install prometheus-client",
    )


def test_the_gateway_starts_without_the_package(tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text("{}")
    program = (
        "import sys; from gateway_lambda.app import make_app; from gateway_lambda.settings import Settings; "
        "from gateway_lambda.registry.file import FileRegistry; make_app(Settings(registry='file:x'), "
        "FileRegistry(sys.argv[1])); print('prometheus_client' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "registry.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
