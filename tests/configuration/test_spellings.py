"""Every spelling that dstack accepts, and its meaning."""

from __future__ import annotations

from typing import Any

import pytest

from infra.configuration import (
    CountRange,
    Cpu,
    Disk,
    Gpu,
    ModelConfiguration,
    PartitioningKey,
    Probe,
    RateLimit,
    Scaling,
    SizeRange,
    Volume,
)
from tests.configuration.support import SERVICE, gateway, service


def test_a_service_has_dstacks_defaults() -> None:
    configuration = service(SERVICE)
    assert configuration.model_dump() == {
        "type": "service",
        "name": None,
        "image": "nginx",
        "python": None,
        "nvcc": False,
        "docker": False,
        "entrypoint": None,
        "commands": (),
        "shell": None,
        "env": {},
        "port": 80,
        "model": None,
        "auth": None,
        "gateway": None,
        "strip_prefix": True,
        "resources": {
            "cpu": {"arch": None, "count": {"min": 2, "max": None}},
            "memory": {"min": 8.0, "max": None},
            "shm_size": None,
            "gpu": {
                "vendor": None,
                "name": None,
                "count": {"min": 0, "max": None},
                "memory": None,
                "total_memory": None,
                "compute_capability": None,
            },
            "disk": {"size": {"min": 100.0, "max": None}},
        },
        "replicas": {"min": 1, "max": 1},
        "groups": None,
        "scaling": None,
        "probes": None,
        "rate_limits": (),
        "registry_auth": None,
        "privileged": False,
        "working_dir": None,
        "user": None,
        "volumes": (),
        "files": (),
        "repos": (),
        "backends": None,
        "regions": None,
        "availability_zones": None,
        "instance_types": None,
        "spot_policy": "on-demand",
        "max_price": None,
        "reservation": None,
        "schedule": None,
        "max_duration": None,
        "stop_duration": None,
        "retry": None,
        "utilization_policy": None,
        "tags": {},
    }


def _gpu(**given: Any) -> Gpu:
    return Gpu.model_validate(given)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2", _gpu(count=2)),
        ("0", _gpu(count=0)),
        ("'2'", _gpu(count=2)),
        ("1..2", _gpu(count={"min": 1, "max": 2})),
        ("..2", _gpu(count={"max": 2})),
        ("24GB", _gpu(memory=24)),
        ("24GB..", _gpu(memory={"min": 24})),
        ("24gb..1TB", _gpu(memory={"min": 24, "max": 1024})),
        ("A10G", _gpu(name=["A10G"])),
        ("A10G:2", _gpu(name=["A10G"], count=2)),
        ("2:A10G", _gpu(name=["A10G"], count=2)),
        ("'A10G : 24 GB'", _gpu(name=["A10G"], memory=24)),
        ("L4,A10G:24GB..:1..2", _gpu(name=["L4", "A10G"], memory={"min": 24}, count={"min": 1, "max": 2})),
        ("nvidia:24GB", _gpu(vendor="nvidia", memory=24)),
        ("NVIDIA:A100:80GB:8", _gpu(vendor="nvidia", name=["A100"], memory=80, count=8)),
        ("{name: A10G}", _gpu(name=["A10G"])),
        ("{name: [L4, A10G], memory: 24GB.., count: 1..2}", _gpu(name=["L4", "A10G"], memory="24GB..", count="1..2")),
        ("{total_memory: 48GB.., compute_capability: 8.0}", _gpu(total_memory="48GB..", compute_capability=[8, 0])),
        ("{compute_capability: '8.6'}", _gpu(compute_capability=[8, 6])),
        ("{compute_capability: [9, 0]}", _gpu(compute_capability=[9, 0])),
        ("{}", _gpu()),
        ("null", _gpu(count={"min": 0})),
    ],
)
def test_gpus(written: str, read: Gpu) -> None:
    assert service(f"{SERVICE}resources:\n  gpu: {written}\n").resources.gpu == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("4", Cpu(count=CountRange(min=4, max=4))),
        ("4..8", Cpu(count=CountRange(min=4, max=8))),
        ("arm:8", Cpu(arch="arm", count=CountRange(min=8, max=8))),
        ("'8 : ARM'", Cpu(arch="arm", count=CountRange(min=8, max=8))),
        ("x86", Cpu(arch="x86")),
        ("{arch: x86, count: 4..}", Cpu(arch="x86", count=CountRange(min=4))),
        ("{min: 2, max: 4}", Cpu(count=CountRange(min=2, max=4))),
        ("{max: 4}", Cpu(count=CountRange(max=4))),
    ],
)
def test_processors(written: str, read: Cpu) -> None:
    assert service(f"{SERVICE}resources:\n  cpu: {written}\n").resources.cpu == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("16", SizeRange(min=16, max=16)),
        ("16GB", SizeRange(min=16, max=16)),
        ("'16 GB'", SizeRange(min=16, max=16)),
        ("16.5gb..", SizeRange(min=16.5)),
        ("..512MB", SizeRange(max=0.5)),
        ("1TB..2TB", SizeRange(min=1024, max=2048)),
        ("{min: 16GB}", SizeRange(min=16)),
    ],
)
def test_sizes(written: str, read: SizeRange) -> None:
    resources = service(f"{SERVICE}resources:\n  memory: {written}\n  disk: {{size: {written}}}\n").resources
    assert (resources.memory, resources.disk) == (read, Disk(size=read))


def test_a_disk_may_be_a_bare_size_and_may_be_left_to_the_offer() -> None:
    assert service(f"{SERVICE}resources:\n  disk: 200GB..\n").resources.disk == Disk(size=SizeRange(min=200))
    assert service(f"{SERVICE}resources:\n  disk: null\n").resources.disk is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("45", 45), ("'45'", 45), ("45s", 45), ("'45 s'", 45), ("5m", 300), ("2h", 7200), ("1d", 86400), ("2w", 1209600)],
)
def test_durations(written: str, seconds: int) -> None:
    text = f"{SERVICE}replicas: 0..4\nscaling: {{metric: rps, target: 2.5, scale_up_delay: {written}}}\n"
    assert service(text).scaling == Scaling(metric="rps", target=2.5, scale_up_delay=seconds)


@pytest.mark.parametrize(
    ("written", "read"),
    [("2", (2, 2)), ("'2'", (2, 2)), ("0", (0, 0)), ("null", (1, 1)), ("{min: 2, max: 2}", (2, 2))],
)
def test_a_number_of_replicas(written: str, read: tuple[int, int]) -> None:
    assert service(f"{SERVICE}replicas: {written}\n").replicas == CountRange(min=read[0], max=read[1])


@pytest.mark.parametrize(
    ("written", "read"),
    [("1..4", (1, 4)), ("'1 .. 4'", (1, 4)), ("..4", (0, 4)), ("{min: 1, max: 4}", (1, 4)), ("{max: 4}", (0, 4))],
)
def test_a_range_of_replicas(written: str, read: tuple[int, int]) -> None:
    text = f"{SERVICE}replicas: {written}\nscaling: {{metric: rps, target: 1}}\n"
    assert service(text).replicas == CountRange(min=read[0], max=read[1])


@pytest.mark.parametrize(
    "written",
    ["80", "'80'", "8000:80", "'8000:80'", "{container_port: 80}", "{local_port: 8000, container_port: 80}", "'080'"],
)
def test_ports(written: str) -> None:
    assert service(f"type: service\nimage: nginx\nport: {written}\n").port == 80


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[A=1, B]", {"A": "1", "B": None}),
        ("{A: 1, B: x}", {"A": "1", "B": "x"}),
        ("[A=, B=a=b]", {"A": "", "B": "a=b"}),
        ("{A: 1.10, B: 0x10, C: '0x10'}", {"A": "1.1", "B": "16", "C": "0x10"}),
        ('{A: "two\\nlines"}', {"A": "two\nlines"}),
        ('["A=two\\nlines"]', {"A": "two\nlines"}),
        ("['A=$HOME $$ `x` \"y\"']", {"A": '$HOME $$ `x` "y"'}),
        ("[Z=1, A=2]", {"Z": "1", "A": "2"}),
        ("{}", {}),
    ],
)
def test_environments(written: str, read: dict[str, str | None]) -> None:
    env = service(f"{SERVICE}env: {written}\n").env
    assert (dict(env), list(env)) == (read, list(read)), "variables keep the order they were written in"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("org/m", ModelConfiguration(name="org/m", format="openai")),
        ("{name: m, format: openai, prefix: /api}", ModelConfiguration(name="m", format="openai", prefix="/api")),
        ("{name: m}", ModelConfiguration(name="m", format="tgi")),
        ("{type: chat, name: m, format: tgi, eos_token: </s>}", ModelConfiguration(name="m", eos_token="</s>")),
        ("{name: m, tools: off, max_n: 2}", ModelConfiguration(name="m", tools="off", max_n=2)),
        (
            "{name: 7, limits: {max_input: 9}}",
            ModelConfiguration.model_validate({"name": "7", "limits": {"max_input": 9}}),
        ),
        (
            "{name: m, special_tokens: {pad_token: p, additional_special_tokens: [a, b]}, stop_strings: [x]}",
            ModelConfiguration(
                name="m",
                special_tokens={"pad_token": "p", "additional_special_tokens": ("a", "b")},
                stop_strings=("x",),
            ),
        ),
    ],
)
def test_models(written: str, read: ModelConfiguration) -> None:
    assert service(f"{SERVICE}model: {written}\n").model == read


@pytest.mark.parametrize(
    ("written", "read"),
    [("true", None), ("on", None), ("null", None), ("prod", "prod"), ("{name: prod}", "prod"), ("'5'", "5")],
)
def test_gateways_of_a_service(written: str, read: str | None) -> None:
    assert service(f"{SERVICE}gateway: {written}\n").gateway == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[/a:/b]", Volume(instance_path="/a", path="/b")),
        ("['/a/:/b/']", Volume(instance_path="/a", path="/b")),
        ("[{instance_path: /a, path: /b, optional: true}]", Volume(instance_path="/a", path="/b", optional=True)),
    ],
)
def test_volumes(written: str, read: Volume) -> None:
    assert service(f"{SERVICE}volumes: {written}\n").volumes == (read,)


def test_the_container() -> None:
    text = f"""{SERVICE}entrypoint: python -m 'my app' --x ""
commands: [8, "echo $$ 'x'", 'a && b']
user: 1000:1000
working_dir: /srv
privileged: yes
"""
    read = service(text)
    assert (read.entrypoint, read.commands) == (("python", "-m", "my app", "--x", ""), ("8", "echo $$ 'x'", "a && b"))
    assert (read.user, read.working_dir, read.privileged) == ("1000:1000", "/srv", True)


def test_probes_and_rate_limits() -> None:
    text = f"""{SERVICE}probes:
  - type: http
    url: /health
    method: post
    headers: [{{name: A, value: b}}]
    body: x
    timeout: 5s
    interval: 1m
    ready_after: 2
    until_ready: true
  - {{type: http, url: null, timeout: null}}
rate_limits:
  - rps: 0.5
  - {{prefix: /v1, rps: 10, burst: 5, key: {{type: header, header: Authorization}}}}
"""
    read = service(text)
    assert read.probes == (
        Probe.model_validate(
            {
                "type": "http",
                "url": "/health",
                "method": "post",
                "headers": [{"name": "A", "value": "b"}],
                "body": "x",
                "timeout": 5,
                "interval": 60,
                "ready_after": 2,
                "until_ready": True,
            }
        ),
        Probe(type="http"),
    )
    assert read.rate_limits == (
        RateLimit(rps=0.5),
        RateLimit(prefix="/v1", rps=10, burst=5, key=PartitioningKey(type="header", header="Authorization")),
    )


def test_placement() -> None:
    text = f"""{SERVICE}regions: [us-east-1, eu-west-1]
availability_zones: [us-east-1a]
instance_types: [g6.xlarge, p5.48xlarge]
spot_policy: auto
max_price: "1.5"
tags: {{team: llm, cost: 5}}
"""
    read = service(text)
    assert (read.regions, read.availability_zones) == (("us-east-1", "eu-west-1"), ("us-east-1a",))
    assert (read.instance_types, read.spot_policy, read.max_price) == (("g6.xlarge", "p5.48xlarge"), "auto", 1.5)
    assert read.tags == {"team": "llm", "cost": "5"}


def test_a_gateway_with_everything() -> None:
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/0f-1"
    text = f"""type: gateway
name: main
backend: aws
region: us-east-1
domain: llm.example.com
certificate: {{type: acm, arn: "{arn}"}}
instance_type: t3.large
replicas: 2
tags: {{team: llm}}
"""
    assert gateway(text).model_dump() == {
        "type": "gateway",
        "name": "main",
        "backend": "aws",
        "region": "us-east-1",
        "domain": "llm.example.com",
        "certificate": {"type": "acm", "arn": arn},
        "instance_type": "t3.large",
        "replicas": 2,
        "tags": {"team": "llm"},
    }


def test_two_readings_of_a_text_are_equal_whatever_file_they_are_from() -> None:
    assert service(SERVICE) == service(f"# a comment\n\n{SERVICE}")
    assert service(SERVICE).source.line(("port",)) == 3
    assert service(f"# a comment\n{SERVICE}").source.line(("port",)) == 4
