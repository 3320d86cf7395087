"""The health check: a probe's, or the path of the model server. The probes that a replica sends itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.configuration import Secret
from infra.planning import PlanError, ServicePlan
from infra.planning.checks import HealthCheck, ReplicaProbe
from infra.planning.known_servers import SERVERS

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nport: 8000\nresources: {gpu: 24GB}\n"
CHAT = "model: {name: m, chat_template: T, eos_token: E}\n"
OTHER = "image: registry.example.com/team/image:1\n"


def health(path: str, matcher: str, origin: str, **values: Any) -> HealthCheck:
    defaults = {"interval": 10, "timeout": 5, "healthy_threshold": 2, "unhealthy_threshold": 3}
    return HealthCheck(path=path, matcher=matcher, origin=origin, **{**defaults, **values})


def probe(**values: Any) -> ReplicaProbe:
    defaults: dict[str, Any] = {
        "name": "probes[0]", "path": "/", "method": "GET", "headers": (), "body": None, "timeout": 10, "interval": 15,
        "ready_after": 1,
    }  # fmt: skip
    return ReplicaProbe(**{**defaults, **values})


@pytest.mark.parametrize(
    ("keys", "check"),
    [
        (OTHER, health("/", "200-499", "no model")),
        (f"{OTHER}{CHAT}", health("/health", "200", "model.format: tgi")),
        (f"{OTHER}model: m", health("/v1/models", "200", "model.format: openai")),
        (
            f"{OTHER}model: {{name: m, format: openai, prefix: /api/}}",
            health("/api/models", "200", "model.format: openai"),
        ),
        (
            f"{OTHER}model: {{name: m, format: openai, upstream_api_key: k}}",
            health("/v1/models", "200-403", "model.format: openai"),
        ),
        (f"{OTHER}model: m\nprobes: []", health("/", "200-499", "probes: []")),
        (f"{OTHER}commands: [vllm serve a/b]\nmodel: a/b", health("/health", "200", "vLLM")),
        (f"{OTHER}commands: [vllm serve a/b]", health("/health", "200", "vLLM")),
        (f"{OTHER}entrypoint: tritonserver --model-repository /m", health("/v2/health/ready", "200", "Triton")),
        ("image: nvcr.io/nim/meta/llama3-8b-instruct\nmodel: m", health("/v1/health/ready", "200", "NIM")),
        ("image: ollama/ollama", health("/", "200", "Ollama")),
        (
            "image: ollama/ollama\nmodel: 'llama3:8b'",
            health("/v1/models/llama3:8b", "200", "Ollama", comes_later=True),
        ),
        ("image: ollama/ollama\nmodel: hf.co/a/b", health("/", "200", "Ollama")),
        (
            f"{OTHER}commands: [python -m fastchat.serve.controller &, python -m fastchat.serve.openai_api_server]\n"
            "model: m",
            health("/v1/models", "200", "FastChat"),
        ),
        (
            f"{OTHER}commands: [python -m llama_cpp.server]\nmodel: {{name: m, format: openai, upstream_api_key: k}}",
            health("/v1/models", "200-403", "llama-cpp-python"),
        ),
        (f"{OTHER}probes: [{{type: http}}]", health("/", "200-299", "probes", interval=15, timeout=10)),
        (
            f"{OTHER}probes: [{{type: http, url: '/ready?a=1', interval: 5, timeout: 20s, ready_after: 4}}]",
            health("/ready?a=1", "200-299", "probes", interval=21, timeout=20, healthy_threshold=4),
        ),
        (f"{OTHER}probes: [{{type: http, timeout: 1s}}]", health("/", "200-299", "probes", interval=15, timeout=2)),
        (
            f"{OTHER}probes: [{{type: http, url: '/two words/é'}}]",
            health("/two%20words/%C3%A9", "200-299", "probes", interval=15, timeout=10),
        ),
    ],
)
def test_the_health_check_is_a_probe_s_else_the_server_s(plan: Plan, keys: str, check: HealthCheck) -> None:
    planned = plan(f"{SERVICE}{keys}\n")
    assert (planned.health_check, planned.probes) == (check, ())


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_every_known_server_has_a_path_that_a_load_balancer_can_ask_for(server: Any) -> None:
    assert server.health.startswith("/")
    assert server.health.isascii()
    assert server.prefix is None or server.prefix.startswith("/")


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ("method: post, body: x", probe(method="POST", body=Secret("x"))),
        ("headers: [{name: a, value: b}]", probe(headers=(("a", Secret("b")),))),
        ("until_ready: true, ready_after: 3", probe(ready_after=3)),
        ("interval: 2s", probe(interval=2)),
        ("interval: 10m", probe(interval=600)),
        ("timeout: 3m", probe(timeout=180)),
        ("ready_after: 11", probe(ready_after=11)),
        ("method: head", probe(method="HEAD")),
        (f"url: /{'a' * 1024}", probe(path=f"/{'a' * 1024}")),
    ],
)
def test_a_probe_that_the_load_balancer_cannot_send_is_the_replica_s(plan: Plan, keys: str, sent: ReplicaProbe) -> None:
    planned = plan(f"{SERVICE}{OTHER}model: m\nprobes: [{{type: http, {keys}}}]\n")
    assert planned.probes == (sent,)
    assert planned.health_check == health("/v1/models", "200", "model.format: openai")
    assert [note for note in planned.notes if "itself sends" in note] == [
        f"The load balancer checks only one path, with GET. Each replica itself sends probes[0] ({sent.method} "
        f"{sent.path}), and takes no requests until it has succeeded. After that, the load balancer checks GET "
        "/v1/models."
    ]


@pytest.mark.parametrize(
    ("probes", "least"),
    [
        ("{type: http, interval: 1m, ready_after: 31}", 1810),
        ("{type: http, interval: 5m, ready_after: 7}", 1800),
        ("{type: http, interval: 3m, ready_after: 6}, {type: http, method: post, interval: 10m, ready_after: 3}", 2100),
    ],
)
def test_probes_that_cannot_succeed_in_time_are_refused(plan: Plan, probes: str, least: int) -> None:
    with pytest.raises(PlanError) as refused:
        plan(f"{SERVICE}{OTHER}probes: [{probes}]\n")
    (problem,) = refused.value.problems
    assert (problem.where, problem.found) == ("probes", f"at least {least} s until all probes have succeeded")
    assert problem.rule == "a replica that does not serve within boot_timeout (1800 s) is replaced"
    assert problem.remedy == "lower interval or ready_after, or raise boot_timeout"


def test_of_several_probes_the_load_balancer_checks_the_first_that_it_can(plan: Plan) -> None:
    probes = "[{type: http, method: post, url: /a}, {type: http, url: /b}, {type: http, url: /c}]"
    planned = plan(f"{SERVICE}{OTHER}probes: {probes}\n")
    assert planned.health_check == health("/b", "200-299", "probes", interval=15, timeout=10)
    assert planned.probes == (
        probe(method="POST", path="/a"),
        probe(name="probes[2]", path="/c"),
    )


def test_a_probe_s_secrets_are_not_in_a_plan_s_repr(plan: Plan) -> None:
    text = (
        f'{SERVICE}{OTHER}env: [KEY]\nprobes: [{{type: http, method: post, body: \'{{"k": "${{{{ env.KEY }}}}"}}\', '
        "headers: [{name: X-Key, value: '${{ env.KEY }}'}]}]\n"
    )
    planned = plan(text, environment={"KEY": "s3cret"})
    assert planned.probes == (
        probe(method="POST", headers=(("X-Key", Secret("s3cret")),), body=Secret('{"k": "s3cret"}')),
    )
    assert "s3cret" not in repr(planned)
