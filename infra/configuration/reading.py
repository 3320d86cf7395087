"""Configurations from files and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from infra.configuration.document import LARGEST_FILE, Document, parse
from infra.configuration.gateway import GatewayConfiguration
from infra.configuration.problem import ConfigurationError, Problem, Source
from infra.configuration.references import check_references
from infra.configuration.refusals import TYPES
from infra.configuration.reporting import problems_of, shown
from infra.configuration.section import nearest
from infra.configuration.service import ServiceConfiguration

Configuration = ServiceConfiguration | GatewayConfiguration

_KINDS: Mapping[object, type[Configuration]] = {"service": ServiceConfiguration, "gateway": GatewayConfiguration}
_BEGIN = "begin with `type: service`, or with `type: gateway`"


def load(path: str | Path) -> Configuration:
    """Reads a file. Raises ConfigurationError with everything that is wrong with it."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        found = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "no name of a file"
        remedy = "check the path; it is relative to the current folder"
        problem = Problem(where="", found=found, rule="a configuration is a file that can be read", remedy=remedy)
        raise ConfigurationError(str(path), [problem]) from None
    return loads(text, str(path))


def loads(text: str | bytes, name: str) -> Configuration:
    """Reads a text; `name` is what reports call it. Raises ConfigurationError with everything that is wrong with it."""
    document = parse(text)
    configuration, problems = _read(document)
    problems = [*document.problems, *problems]
    if configuration is None or problems:
        raise ConfigurationError(name, sorted(problems, key=lambda problem: problem.line or 0))
    return configuration.at(Source(name=name, lines=document.lines))


def _read(document: Document) -> tuple[Configuration | None, list[Problem]]:
    data = document.data
    if not isinstance(data, dict):
        return None, [] if document.problems else [_not_a_map(data)]
    kind = cast(dict[str, object], data).get("type")
    references = list(check_references(document))
    if not isinstance(kind, str) or kind not in _KINDS:
        return None, [*_wrong_type(kind, document), *references]
    try:
        return _KINDS[kind].model_validate(data), references
    except ValidationError as error:
        said = {problem.where for problem in references}
        return None, [*references, *(p for p in problems_of(error, document) if p.where not in said)]


def _not_a_map(data: object) -> Problem:
    found = (
        "nothing but comments, if any"
        if data is None
        else "a list"
        if isinstance(data, list)
        else "a text without keys"
    )
    return Problem(where="", line=1, found=found, rule="a configuration is a map of keys and values", remedy=_BEGIN)


def _wrong_type(kind: object, document: Document) -> Iterator[Problem]:
    if ("type",) in document.unread:
        return
    line, found = document.line(("type",)), shown(kind, document.written.get(("type",)))
    if kind is None:
        rule = "`type` is required: service or gateway"
        yield Problem(where="type", line=line, rule=rule, remedy="add `type: service`, or `type: gateway`")
    elif isinstance(kind, str) and kind in TYPES:
        rule = f"servestack has services and gateways, and {TYPES[kind]}"
        yield Problem(where="type", line=line, found=found, rule=rule, remedy="use dstack for it")
    else:
        near = nearest(kind, ["service", "gateway"]) if isinstance(kind, str) else None
        remedy = f"write `type: {near}`" if near else "write `type: service` or `type: gateway`"
        yield Problem(where="type", line=line, found=found, rule="the type is service or gateway", remedy=remedy)
