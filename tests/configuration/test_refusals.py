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
    assert problems(f"{SERVICE_TEXT}dstack: 0\n")[0][1] == "dstack"


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
        (
            "replicas: [{count: 1, router: {type: sglang}}]",
            "router is not supported: the load balancer sends requests to all groups, and no router decides which "
            "group does which part of the work (PD disaggregation)",
        ),
        ("replicas: [{count: 1}]\ngroups: [{count: 1}]", "`replicas` and `groups` say the same"),
        ("replicas: [{count: 1}]\nresources: {gpu: 24GB}", "each group has resources of its own"),
        ("replicas: [{count: 1}]\ncommands: [x]", "each group has commands of its own"),
        ("replicas: [{count: 1}]\nscaling: {metric: rps, target: 1}", "each group scales by itself"),
        ("replicas: [{count: 1}]\nentrypoint: x", "with an entrypoint, dstack ignores the commands of groups"),
        (
            "replicas: [{count: 1}]\nutilization_policy: {min_gpu_utilization: 5, time_window: 1h}",
            "a replica whose GPUs are not used can end only its own group, but the policy ends the whole run",
        ),
        ("replicas: [{count: 1, privileged: true}]\nprivileged: true", "`privileged` contradicts what a group sets"),
        ("replicas: [{count: 1, docker: true, commands: [x]}]", "`image` contradicts what a group sets"),
        ("replicas: [{count: 1}, {count: 1, name: '0'}]", "each group must have a different name"),
        ("replicas: [{count: 1..2}]", "a range of replicas needs `scaling`"),
        ("python: 3.12", "`python` is a version for the base image, which runs only without `image`"),
        ("nvcc: true", "`nvcc` adds a CUDA compiler to the base image, which runs only without `image`"),
        ("docker: true", "`docker` has an image of its own, which runs only without `image`"),
        ("entrypoint: x\nshell: bash", "`shell` is the shell of `commands`, and an entrypoint runs without a shell"),
        (
            "max_duration: 8h",
            "`max_duration` needs a `schedule`: without one, a service runs until you destroy its stack",
        ),
        (
            "stop_duration: off",
            "replicas get at most an hour to finish their requests, because a load balancer waits no longer",
        ),
        (
            "retry: {duration: 299}",
            "duration must be at least 5m, because Auto Scaling needs minutes to replace an instance",
        ),
        (
            "retry: {on_events: [no-capacity, error]}",
            "on_events must have interruption and error, because such replicas are always replaced",
        ),
        (
            "reservation: my-reservation",
            "a reservation must be the id of a Capacity Reservation or a Capacity Block of EC2",
        ),
        ("reservation: cr-0123456789abcdef0\nspot_policy: auto", "a spot instance cannot run in a reservation"),
        (
            "schedule: {cron: '0 8 1 * mon'}",
            "a cron expression must not limit the day of the month and the day of the week together",
        ),
        ("schedule: {cron: '0 8 * *'}", "a cron expression must have five fields with spaces between them"),
        (
            "schedule: {cron: '0 8 1st-mon * *'}",
            "the day of the month must be *, a value or a range, each with a step if you want: */15",
        ),
        ("schedule: {cron: '0 25 * * *'}", "the hour must be from 0 to 23"),
        ("schedule: {cron: '0 8 * * sun-mon'}", "the first day of the week of a range must not be after the last"),
        (
            "schedule: {cron: '0 8 last * *'}",
            "the day of the month must be from 1 to 31",
        ),
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


@pytest.mark.parametrize(
    ("lines", "where", "rule"),
    [
        ("", "commands", "without `image`, the base image runs, and it has nothing to run without `commands`"),
        (
            "commands: [x]\npython: 3.12\nentrypoint: y",
            "python",
            "`python` makes a virtual environment for the commands of a shell, and an entrypoint runs without a shell",
        ),
        (
            "commands: [x]\ndocker: true\nentrypoint: y",
            "docker",
            "`docker: true` starts docker before the commands of a shell, and an entrypoint runs without a shell",
        ),
        (
            "commands: [x]\ndocker: true\nnvcc: true",
            "nvcc",
            "`nvcc` is for the base image, and `docker: true` runs another image",
        ),
        (
            "replicas: [{count: 1, commands: [x], privileged: false}]\ndocker: true",
            "docker",
            "docker in a container needs a privileged container",
        ),
        (
            "replicas: [{count: 1, commands: [x], docker: true}]\nprivileged: false",
            "privileged",
            "docker in a container needs a privileged container",
        ),
        (
            "commands: [x]\ndocker: true\nprivileged: false",
            "privileged",
            "docker in a container needs a privileged container",
        ),
        ("commands: [x]\npython: 3.8", "python", "the versions are 3.9, 3.10, 3.11, 3.12, 3.13, 3.14, 3.15"),
        ("commands: [x]\nshell: zsh", "shell", "a shell must be sh, bash or an absolute path in the container"),
    ],
)
def test_what_does_not_go_together_without_an_image(lines: str, where: str, rule: str) -> None:
    found = problems(f"type: service\nport: 80\n{lines}\n")
    assert [(problem[1], problem[3]) for problem in found] == [(where, rule)]


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        (
            "${{ run.name }}",
            "references work only in env, commands, image, registry_auth, probes and model.upstream_api_key",
        ),
        ("${{ run.project_name", "a reference must end with }}"),
    ],
)
def test_a_domain_has_no_other_reference_than_the_name_of_the_project(reference: str, rule: str) -> None:
    assert rule in report(f"{GATEWAY_TEXT}domain: '{reference}.example.com'\n")
