"""The SSM parameters of a run: their names, and values that SSM accepts."""

from __future__ import annotations

import base64

import pytest

from infra.configuration import Secret
from infra.planning.boot import Parameter, parameter_prefix, parameters
from infra.planning.boot.settings import bind, registry
from tests.boot.planned import planned


def parameter(name: str, value: str) -> Parameter:
    return Parameter(name=name, value=Secret(value))


def test_every_secret_and_the_login_are_parameters() -> None:
    plan = planned(
        "env: [HF_TOKEN=hf_x, PLAIN=1, BARE]\nregistry_auth: {username: u, password: '${{ env.BARE }}'}\n", BARE="b"
    )
    assert parameters(plan) == (
        parameter("HF_TOKEN", "hf_x"),
        parameter("BARE", "b"),
        parameter("registry-username", "u"),
        parameter("registry-password", "b"),
    )
    assert "hf_x" not in repr(parameters(plan))


def test_a_run_s_parameters_have_a_prefix_that_no_other_run_s_and_no_other_gateway_s_have() -> None:
    prefixes = [parameter_prefix(table, run) for table in ("one", "two") for run in ("run", "run-2")]
    assert prefixes == [
        "/servestack/one/run/",
        "/servestack/one/run-2/",
        "/servestack/two/run/",
        "/servestack/two/run-2/",
    ]
    assert not [one for one in prefixes for other in prefixes if one != other and one.startswith(other)]


def test_a_plan_without_secrets_has_no_parameters() -> None:
    assert parameters(planned("env: [A=1, EMPTY]\n", EMPTY="")) == ()


def test_an_empty_password_is_encoded_since_ssm_takes_no_empty_value() -> None:
    plan = planned("env: [BARE]\nregistry_auth: {username: u, password: '${{ env.BARE }}'}\n", BARE="")
    assert parameters(plan)[-1] == parameter("registry-password", "base64:")


def test_a_plain_value_is_a_parameter_where_it_is_large() -> None:
    plan = planned(f"env: [SMALL={'x' * 1024}, LARGE={'x' * 1025}, LD_LARGE={'x' * 1025}]\n")
    assert parameters(plan) == (parameter("LARGE", "x" * 1025),)


@pytest.mark.parametrize("value", ["x", "two\nlines", "x" * 4096, "é" * 2048, "a = 'b' \"$c\" {x} %", "https://a"])
def test_a_value_is_as_it_is_where_ssm_takes_it(value: str) -> None:
    assert parameters(planned("env: [B]\n", B=value)) == (parameter("B", value),)


@pytest.mark.parametrize(
    "value", [" x", "x\n", "\n", "{{ x }}", "a{{b", "base64:eA==", "x" * 4097, "é" * 2049, "a\rb", "x" * 8192]
)
def test_a_value_that_ssm_refuses_or_could_change_is_encoded_and_cut(value: str) -> None:
    made = parameters(planned("env: [B]\n", B=value))
    assert [one.name for one in made] == ["B", *(f"B.{n}" for n in range(1, len(made)))]
    pieces = [one.value.reveal() for one in made]
    assert all(0 < len(piece) <= 4096 for piece in pieces), "a standard parameter holds 4 KB"
    assert "".join(pieces) == "base64:" + base64.b64encode(value.encode()).decode()


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("nginx", ""),
        ("library/nginx:1.27", ""),
        ("ghcr.io/huggingface/text-generation-inference:latest", "ghcr.io"),
        ("nvcr.io/nim/meta/llama:1", "nvcr.io"),
        ("localhost/x", "localhost"),
        ("registry:5000/x@sha256:0", "registry:5000"),
        ("docker.io/library/nginx", "docker.io"),
    ],
)
def test_the_registry_is_read_from_the_image_s_name_as_docker_does(image: str, host: str) -> None:
    assert registry(image) == host


def test_a_mount_s_paths_may_have_colons_commas_and_quotes() -> None:
    assert bind("/a:b", "/c d") == "type=bind,source=/a:b,target=/c d"
    assert bind("/a,b", "/c") == 'type=bind,"source=/a,b",target=/c'
    assert bind('/a"b', "/c") == 'type=bind,"source=/a""b",target=/c'
