"""The other keys of dstack: refused by name with the reason, unless their value asks for nothing."""

from __future__ import annotations

import json

import pytest

from infra.configuration import ConfigurationError, loads
from infra.configuration.refusals import BACKENDS, GATEWAY, SERVICE, TYPES
from tests.configuration.support import GATEWAY as GATEWAY_TEXT
from tests.configuration.support import SERVICE as SERVICE_TEXT
from tests.configuration.support import problems, report

KEYS = [(SERVICE_TEXT, SERVICE, key) for key in SERVICE] + [(GATEWAY_TEXT, GATEWAY, key) for key in GATEWAY]


@pytest.mark.parametrize(("text", "table", "key"), KEYS, ids=[key for _, _, key in KEYS])
def test_a_key_is_refused_with_its_reason(text: str, table: dict[str, object], key: str) -> None:
    refusal = (SERVICE if table is SERVICE else GATEWAY)[key]
    assert report(f"{text}{key}: {{x: 1}}\n") == (
        f"serve.dstack.yml: 1 problem\n\nline 4, {key}\n  found:  a map\n"
        f"  rule:   {key} is not supported: {refusal.reason}\n"
        f"  remedy: {refusal.remedy}"
    )


@pytest.mark.parametrize(("text", "table", "key"), KEYS, ids=[key for _, _, key in KEYS])
def test_a_value_that_asks_for_nothing_is_read_as_absent(text: str, table: dict[str, object], key: str) -> None:
    for value in (SERVICE if table is SERVICE else GATEWAY)[key].neutral:
        assert loads(f"{text}{key}: {json.dumps(value)}\n", "f") == loads(text, "f")


def test_a_zero_is_not_the_false_that_asks_for_nothing() -> None:
    assert problems(f"{SERVICE_TEXT}nvcc: 0\n")[0][1] == "nvcc"


@pytest.mark.parametrize("kind", TYPES)
def test_other_types(kind: str) -> None:
    assert TYPES[kind] in report(f"type: {kind}\nname: x\n")


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_backends(backend: str) -> None:
    assert problems(GATEWAY_TEXT.replace("aws", backend)) == [
        (2, "backend", f'"{backend}"', f"{backend} is not supported: servestack runs only on AWS")
    ]


@pytest.mark.parametrize(
    ("written", "found", "rule"),
    [
        ("[gcp, azure]", "gcp, azure", "aws must be among the backends, because servestack runs only on AWS"),
        ("[]", "an empty list", "aws must be among the backends, because servestack runs only on AWS"),
        ("[aws, gpc]", "gpc", "a backend must be one of dstack's"),
    ],
)
def test_backends_of_a_service(written: str, found: str, rule: str) -> None:
    assert problems(f"{SERVICE_TEXT}backends: {written}\n") == [(4, "backends", found, rule)]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (
            "volumes: [data:/data]",
            "network volumes are not supported: each replica is a new instance in any availability zone",
        ),
        (
            "volumes: [{name: d, path: /d}]",
            "network volumes are not supported: each replica is a new instance in any availability zone",
        ),
        ("replicas: [{count: 1}]", "replica groups are not supported: all replicas of a service are the same"),
        ("gateway: false", "a service is always reached through a gateway"),
        ("gateway: other/main", "`gateway` must be the name of the gateway's stack, not project/name"),
        (
            "resources: {gpu: tpu-v5}",
            "only NVIDIA GPUs are supported, because every offer is an EC2 instance type with NVIDIA GPUs",
        ),
        (
            "resources: {gpu: amd}",
            "only NVIDIA GPUs are supported, because every offer is an EC2 instance type with NVIDIA GPUs",
        ),
    ],
)
def test_values_that_are_refused_by_name(line: str, rule: str) -> None:
    assert [problem[3] for problem in problems(f"{SERVICE_TEXT}{line}\n")] == [rule]


@pytest.mark.parametrize("certificate", ["null", "{type: lets-encrypt}", "{type: gcp-cm, name: x}"])
def test_other_certificates(certificate: str) -> None:
    with pytest.raises(ConfigurationError, match="certificate"):
        loads(f"{GATEWAY_TEXT}domain: example.com\ncertificate: {certificate}\n", "f")
