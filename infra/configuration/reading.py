"""Configurations from files and text."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pydantic import ValidationError

from infra.configuration.document import LARGEST_FILE, parse
from infra.configuration.gateway import GatewayConfiguration
from infra.configuration.problem import ConfigurationError, Problem, Source
from infra.configuration.reporting import problems_of
from infra.configuration.service import ServiceConfiguration

Configuration = ServiceConfiguration | GatewayConfiguration


def load(path: str | Path) -> Configuration:
    """Reads a file. Raises ConfigurationError with everything that is wrong with it."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        problem = Problem(
            where="", found=reason, rule="a configuration is a file that can be read", remedy="check the path"
        )
        raise ConfigurationError(str(path), [problem]) from None
    return loads(text, str(path))


def loads(text: str | bytes, name: str) -> Configuration:
    """Reads a text; `name` is what reports call it. Raises ConfigurationError with everything that is wrong with it."""
    document = parse(text)
    data = document.data
    if document.problems and data is None:
        raise ConfigurationError(name, document.problems)
    if not isinstance(data, dict):
        raise ConfigurationError(
            name,
            [
                Problem(
                    where="",
                    line=1,
                    rule="a configuration is a map of keys",
                    remedy="begin with `type: service` or `type: gateway`",
                )
            ],
        )
    given = cast(dict[str, object], data)
    kind = given.get("type")
    types: dict[object, type[Configuration]] = {"service": ServiceConfiguration, "gateway": GatewayConfiguration}
    if kind not in types:
        raise ConfigurationError(
            name,
            [
                Problem(
                    where="type",
                    line=document.lines.get(("type",), 1),
                    rule="the type is service or gateway",
                    remedy="write `type: service`",
                )
            ],
        )
    try:
        configuration = types[kind].model_validate(given)
    except ValidationError as error:
        problems = [*document.problems, *problems_of(error, document)]
        raise ConfigurationError(name, sorted(problems, key=lambda problem: problem.line or 0)) from None
    if document.problems:
        raise ConfigurationError(name, document.problems)
    return configuration.at(Source(name=name, lines=document.lines))
