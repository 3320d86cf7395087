"""Shared by the tests of this folder: a service in three lines, and a report as a user sees it."""

from __future__ import annotations

import pytest

from infra.configuration import ConfigurationError, GatewayConfiguration, ServiceConfiguration, loads

SERVICE = "type: service\nimage: nginx\nport: 80\n"
GATEWAY = "type: gateway\nbackend: aws\nregion: us-east-1\n"


def service(text: str) -> ServiceConfiguration:
    configuration = loads(text, "serve.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    return configuration


def gateway(text: str) -> GatewayConfiguration:
    configuration = loads(text, "gateway.dstack.yml")
    assert isinstance(configuration, GatewayConfiguration)
    return configuration


def report(text: str | bytes) -> str:
    """Return the report about a text that is not a valid configuration."""
    with pytest.raises(ConfigurationError) as raised:
        loads(text, "serve.dstack.yml")
    return str(raised.value)


def problems(text: str | bytes) -> list[tuple[int | None, str, str | None, str]]:
    """Return (line, where, found, rule) of each problem of a text."""
    with pytest.raises(ConfigurationError) as raised:
        loads(text, "serve.dstack.yml")
    return [(problem.line, problem.where, problem.found, problem.rule) for problem in raised.value.problems]
