"""Image names: exactly the names that docker pull accepts."""

from __future__ import annotations

import json

import pytest

from tests.configuration.support import problems, report, service

DIGEST = f"sha256:{'0a' * 32}"
NAME = "an image must be a name that docker pull accepts: [host/]repository[:tag][@digest]"
CASE = "an image's repository must be in lower case"
TAG = "an image can have one tag of at most 128 letters, digits, _, . and -, which must not begin with . or -"
DIGIT = "an image digest must be an algorithm and its lower-case hexadecimal digits: 64 digits after sha256:"


def text(image: str) -> str:
    return f"type: service\nport: 80\nimage: {json.dumps(image)}\n"


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nginx:1.27",
        "ubuntu:_x",
        "ghcr.io/huggingface/text-generation-inference:latest",
        "GHCR.IO/huggingface/tgi:3.3.7-ROCm",
        "quay.io/a__b/c--d/e.f_g:V1_x.-",
        "docker.io/library/nginx",
        "localhost/x",
        "localhost:5000/a/b:c",
        "registry:5000/a",
        "10.0.0.1:5000/x/y",
        "[::1]:5000/a",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-repo:tag",
        f"nginx@{DIGEST}",
        f"nvcr.io/nvidia/tritonserver:24.01-py3@{DIGEST}",
        f"nginx:{'a' * 128}",
    ],
)
def test_what_docker_pulls_is_an_image(image: str) -> None:
    assert service(text(image)).image == image


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        ("a:v1:v2", TAG),
        ("ghcr.io/org/server:v1:latest", TAG),
        ("a:", TAG),
        ("nginx:.x", TAG),
        ("nginx: 1", TAG),
        (f"nginx:{'a' * 129}", TAG),
        ("Nginx", CASE),
        ("Foo/bar", CASE),
        ("ghcr.io/Org/server:V1", CASE),
        ("nginx@", DIGIT),
        ("nginx@sha256:abc", DIGIT),
        (f"nginx@{DIGEST.upper()}", DIGIT),
        (f"nginx@md5:{'0' * 32}", DIGIT),
        ("an image", NAME),
        ("nginx\n", NAME),
        ("/a", NAME),
        ("a/", NAME),
        ("a//b", NAME),
        ("-a", NAME),
        ("a_", NAME),
        ("a___b", NAME),
        ("ghcr.io/", NAME),
        (":latest", NAME),
        (f"@{DIGEST}", NAME),
        ("host:port/x", NAME),
        ("ñ/x", NAME),
        ("$IMAGE", NAME),
        ("x" * 256, NAME),
        ("a" * 64, NAME),
        ("https://ghcr.io/org/server", NAME),
    ],
)
def test_what_docker_refuses_is_refused_with_its_place(image: str, rule: str) -> None:
    assert [(line, where, said) for line, where, _, said in problems(text(image))] == [(3, "image", rule)]


def test_the_remedy_is_the_name_that_was_meant() -> None:
    assert "remedy: write ghcr.io/org/server:V1" in report(text("ghcr.io/Org/Server:V1"))
    assert "remedy: write ghcr.io/org/server" in report(text("https://ghcr.io/org/server"))
    assert "remedy: write a tag after the colon, such as server:latest, or remove the colon" in report(
        text("ghcr.io/org/server:")
    )


def test_credentials_in_a_name_are_not_shown() -> None:
    said = report(text("https://me:pass-word@ghcr.io/org/server"))
    assert "pass-word" not in said
    assert "registry_auth" in said
