"""A credential is never shown: not in a report, not in a repr, and not in the output of the command."""

from __future__ import annotations

import copy
import json

import pytest

from infra.configuration import ConfigurationError, Secret, ServiceConfiguration, loads, read_settings
from tests.configuration.support import SERVICE, report, service

HIDDEN = "hf_hidden"


@pytest.mark.parametrize(
    "text",
    [
        f"env: [{HIDDEN}-x]",
        f"env: {HIDDEN}",
        f"env: ['A B={HIDDEN}']",
        f"env: [A={HIDDEN}, A={HIDDEN}]",
        f"env: {{A: [{HIDDEN}]}}",
        f"env: [{{A: {HIDDEN}}}]",
        f"env: {{A-B: {HIDDEN}}}",
        f"env: {{A: '${{{{ secret.x }}}} {HIDDEN}'}}",
        f"env: {{A: '${{{{ {HIDDEN}'}}",
        f"envs: {{A: {HIDDEN}}}",
        f"env: {{A: !x {HIDDEN}}}",
        f"env: {{A: !!int {HIDDEN}}}",
        f"env: {{A: '{HIDDEN}}}",
        f"registry_auth: {{username: a, password: [{HIDDEN}]}}",
        f"registry_auth: {{username: a, pasword: {HIDDEN}}}",
        f"registry_auth: {{username: a, password: '${{{{ {HIDDEN} }}}}'}}",
        f"model: {{name: m, upstream_api_key: [{HIDDEN}]}}",
        f"model: {{name: m, upstream_api_keys: {HIDDEN}}}",
        f"probes: [{{type: http, headers: [{{name: Authorization, value: [{HIDDEN}]}}]}}]",
        f"probes: [{{type: http, headers: [{{name: A, valeu: {HIDDEN}}}]}}]",
        f"env: {{A: !{HIDDEN}}}",
        f"env: {{A: !x!{HIDDEN}}}",
        f"env: {{A: !{HIDDEN}! x}}",
        f"env: {{A: *{HIDDEN}}}",
        f"env: {{A={HIDDEN}: x}}",
        f"env: {{A: x, A={HIDDEN}: x, A={HIDDEN}: x}}",
        f"registry_auth: alice:{HIDDEN}",
        f"registry_auth: ['alice:{HIDDEN}']",
        f"probes: [{{type: http, headers: 'Authorization {HIDDEN}'}}]",
        f"{HIDDEN}",
        f"- {HIDDEN}",
        f"\t{HIDDEN}",
    ],
)
def test_a_report_shows_no_value_that_may_be_a_credential(text: str) -> None:
    assert HIDDEN not in report(f"{SERVICE}{text}\n")


def test_credentials_are_no_part_of_a_repr_or_of_json() -> None:
    text = f"""{SERVICE}env:
  - HUGGING_FACE_HUB_TOKEN={HIDDEN}
  - DATABASE=postgres://user:{HIDDEN}@host/x
  - API_KEY={HIDDEN}
  - MAX_TOTAL_TOKENS=4096
  - FROM_THE_CALLER
registry_auth: {{username: alice, password: {HIDDEN}}}
model: {{name: m, upstream_api_key: {HIDDEN}}}
probes:
  - type: http
    headers: [{{name: Authorization, value: Bearer {HIDDEN}}}, {{name: Accept, value: text/plain}}]
"""
    configuration = service(text)
    printed = configuration.model_dump(mode="json")
    assert HIDDEN not in repr(configuration) + str(configuration) + json.dumps(printed)
    assert printed["env"] == {
        "HUGGING_FACE_HUB_TOKEN": "***",
        "DATABASE": "***",
        "API_KEY": "***",
        "MAX_TOTAL_TOKENS": "4096",
        "FROM_THE_CALLER": None,
    }
    assert printed["registry_auth"] == {"username": "alice", "password": "***"}
    assert printed["probes"][0]["headers"] == [
        {"name": "Authorization", "value": "***"},
        {"name": "Accept", "value": "text/plain"},
    ]
    assert configuration.registry_auth is not None
    assert configuration.registry_auth.password.reveal() == HIDDEN
    assert configuration.env["API_KEY"] == HIDDEN


def test_a_secret_shows_itself_to_no_one() -> None:
    secret = Secret(HIDDEN)
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]
    assert (secret, hash(secret)) == (Secret(HIDDEN), hash(Secret(HIDDEN)))
    assert secret != HIDDEN
    assert copy.deepcopy(secret).reveal() == HIDDEN


def test_what_is_secret_in_stack_config_is_shown_in_no_report() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(
            {"configuration": "x", "gpu": Secret(f"{HIDDEN}:a:b"), "env": Secret(json.dumps({"A B": HIDDEN}))},
            "service",
        )
    assert HIDDEN not in str(raised.value)
    assert {problem.where for problem in raised.value.problems} == {"stack config gpu", "stack config env.A B"}


def test_secrets_of_stack_config_are_secret_however_they_are_set() -> None:
    given = {"A": HIDDEN, "B": Secret(HIDDEN)}
    for value in (
        given,
        Secret(json.dumps({"A": HIDDEN, "B": HIDDEN})),
        Secret(json.dumps([f"A={HIDDEN}", f"B={HIDDEN}"])),
    ):
        read = read_settings({"configuration": "x", "secrets": value}, "service")
        assert read.secrets == {"A": Secret(HIDDEN), "B": Secret(HIDDEN)}
        assert HIDDEN not in f"{read!r} {read.model_dump_json()}"
    with pytest.raises(ConfigurationError, match="a secret must have a value"):
        read_settings({"configuration": "x", "secrets": Secret(json.dumps(["A"]))}, "service")


def test_an_error_can_be_logged_with_its_cause() -> None:
    """pydantic's own errors hold values, so none is chained to a report."""
    with pytest.raises(ConfigurationError) as raised:
        loads(f"{SERVICE}registry_auth: {{username: a, password: [{HIDDEN}]}}\n", "f")
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert HIDDEN not in repr(raised.value)


def test_types_alone_take_secrets_too() -> None:
    read = ServiceConfiguration(type="service", image="nginx", port=80, env={"A": Secret(HIDDEN)})
    assert read.env == {"A": Secret(HIDDEN)}
