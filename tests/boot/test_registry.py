"""The login to an image registry: passwords that have expired, limits, and ECR by the role of the instance."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.boot.machine import Machine
from tests.boot.test_outcomes import GIVES_UP, LOGIN, TRIES_AGAIN, failed_state, says, steps

Boots = Callable[..., Machine]

HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
ECR = f"type: service\nimage: {HOST}/team/tgi:3\nport: 80\nresources: {{gpu: 24GB}}\n"
REFUSED = "the image registry registry.example.com refused the login of registry_auth"


@pytest.mark.parametrize(
    "line",
    [
        "Error response from daemon: login attempt to https://registry.example.com/v2/ failed with status: 400 Bad "
        "Request",
        "Error response from daemon: Get https://registry.example.com/v2/: denied: Your authorization token has "
        "expired. Reauthenticate and try again.",
        "Error response from daemon: unauthorized: personal access token is expired",
    ],
)
def test_an_expired_password_is_named_at_the_login(machine: Boots, line: str) -> None:
    boot = machine(LOGIN)
    boot.answer("docker-login", says(line))
    assert boot.run("serve") == GIVES_UP
    assert failed_state(boot) == (
        f"{REFUSED}, whose password is wrong or has expired: set a new one: {line}",
        True,
    )


def test_an_expired_password_is_named_at_the_pull(machine: Boots) -> None:
    boot = machine(LOGIN)
    line = "denied: Your authorization token has expired. Reauthenticate and try again."
    boot.answer("docker-pull", says(line))
    assert boot.run("serve") == GIVES_UP
    assert failed_state(boot) == (f"the password of registry_auth has expired: set a new one: {line}", True)


@pytest.mark.parametrize("step", ["docker-login", "docker-pull"])
@pytest.mark.parametrize(
    "line",
    [
        "toomanyrequests: too many failed login attempts for username or IP address",
        "Error response from daemon: toomanyrequests: Rate exceeded",
        "failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests",
    ],
)
def test_a_limit_of_the_registry_is_waited_out(machine: Boots, step: str, line: str) -> None:
    boot = machine(LOGIN)
    boot.answer(step, says(line))
    assert boot.run("serve") == TRIES_AGAIN
    cause = (
        "the image registry registry.example.com limits how often images are pulled: wait, add registry_auth with an "
        f"account that has a higher limit, or copy the image to ECR: {line}"
    )
    assert failed_state(boot) == (cause, False)


def test_an_image_in_ecr_is_pulled_by_the_role_with_a_new_password_at_each_start(machine: Boots) -> None:
    boot = machine(service=ECR)
    for number in (1, 2):
        boot.answer("aws-ecr-get-login-password", f"echo password-{number}", call=number)
    boot.answer("docker-pull", "exit 1", call=1)
    boot.answer("curl-health", "printf 200")
    assert boot.run("serve") == TRIES_AGAIN
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    config = ("--config", f"{boot.file_system}/run/servestack/docker")
    assert [call.arguments for call in boot.calls("aws-ecr-get-login-password")] == [
        ("--region", "eu-central-1", "--cli-connect-timeout", "5", "--cli-read-timeout", "20", "ecr",
         "get-login-password"),
    ] * 2  # fmt: skip
    logins = boot.calls("docker-login")
    assert [(call.arguments, call.input) for call in logins] == [
        ((*config, "login", "--username", "AWS", "--password-stdin", HOST), f"password-{number}") for number in (1, 2)
    ]
    assert boot.calls("docker-pull")[-1].arguments == (*config, "pull", f"{HOST}/team/tgi:3")
    assert not (boot.file_system / "run/servestack/docker").exists()
    written = [call for call in boot.calls() if "password-" in str((call.arguments, call.environment))]
    assert [call.key for call in written if call.key not in ("docker-login", "aws-ecr-get-login-password")] == []


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("aws-ecr-get-login-password", "An error occurred (AccessDeniedException) when calling the "
         "GetAuthorizationToken operation: User: arn:aws:sts::1:assumed-role/r/i is not authorized to perform: "
         "ecr:GetAuthorizationToken on resource: *"),
        ("docker-pull", "Error response from daemon: pull access denied: User: arn:aws:sts::1:assumed-role/r/i is not "
         "authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-central-1:1:repository/team/tgi"),
    ],
)  # fmt: skip
def test_ecr_s_refusal_is_tried_twice_since_a_new_role_needs_seconds(machine: Boots, program: str, line: str) -> None:
    boot = machine(service=ECR)
    boot.answer(program, says(line, 254))
    cause = (
        f"ECR does not let the role of the instance pull {HOST}/team/tgi:3: if the repository is in another account, "
        f"its policy must allow it: {line}"
    )
    assert [boot.run("serve") for _ in range(3)] == [TRIES_AGAIN, TRIES_AGAIN, GIVES_UP]
    assert failed_state(boot) == (cause, True)


def test_a_repository_that_does_not_exist_in_ecr_ends_at_once(machine: Boots) -> None:
    boot = machine(service=ECR)
    line = "name unknown: The repository with name 'team/tgi' does not exist in the registry with id '123456789012'"
    boot.answer("docker-pull", says(line))
    assert boot.run("serve") == GIVES_UP
    assert failed_state(boot) == (f"the image {HOST}/team/tgi:3 was not found: {line}", True)


def test_a_login_of_the_configuration_is_used_for_ecr_too(machine: Boots) -> None:
    boot = machine("registry_auth: {username: AWS, password: p}\n", service=ECR)
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    assert boot.call("docker-login").input == "p"
    assert not boot.calls("aws-ecr-get-login-password")
