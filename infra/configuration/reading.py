"""Read configurations from files and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from infra.configuration.document import LARGEST_FILE, Document, parse
from infra.configuration.gateway import GatewayConfiguration
from infra.configuration.problem import NOTHING, ConfigurationError, Problem, Source
from infra.configuration.references import check_references
from infra.configuration.refusals import TYPES
from infra.configuration.reporting import problems_of, shown
from infra.configuration.section import nearest
from infra.configuration.service import ServiceConfiguration

Configuration = ServiceConfiguration | GatewayConfiguration

_KINDS: Mapping[str, type[Configuration]] = {"service": ServiceConfiguration, "gateway": GatewayConfiguration}
_BEGIN = "begin the file with `type: service` or `type: gateway`"


def load(path: str | Path) -> Configuration:
    """Read a configuration from a file. Raises `ConfigurationError` with all problems of the file."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
    except IsADirectoryError:
        inside = sorted([*Path(path).glob("*.dstack.yml"), *Path(path).glob("*/*.dstack.yml")])
        remedy = f"name one, for example {inside[0]}" if inside else "give the path of a *.dstack.yml file"
        problem = Problem(where="", found="a folder", rule="a configuration must be a file", remedy=remedy)
        raise ConfigurationError(str(path), [problem]) from None
    except (OSError, ValueError) as error:
        found = error.strerror.lower() if isinstance(error, OSError) and error.strerror else "not a file name"
        remedy = "check the path" + ("" if Path(path).is_absolute() else f", which is relative to {Path.cwd()}")
        problem = Problem(where="", found=found, rule="a configuration must be a readable file", remedy=remedy)
        raise ConfigurationError(str(path), [problem]) from None
    return loads(text, str(path))


def loads(text: str | bytes, name: str) -> Configuration:
    """Read a configuration from a text that reports call `name`. Raises `ConfigurationError` with all its problems."""
    document = parse(text)
    configuration, problems = _read(document)
    problems = [*document.problems, *problems]
    if configuration is None or problems:
        raise ConfigurationError(name, sorted(problems, key=lambda problem: problem.line or 0))
    return configuration.at(Source(name=name, lines=document.lines))


def _read(document: Document) -> tuple[Configuration | None, list[Problem]]:
    if not isinstance(document.data, dict):
        return None, [] if document.problems else [_not_a_map(document.data)]
    data = cast(dict[str, object], document.data)
    kind = data.get("type")
    references = list(check_references(document))
    if isinstance(kind, str) and kind in _KINDS:
        return _validated(kind, data, document, references)
    said = [*_wrong_type(kind, document), *references]
    meant = _meant(kind, data)
    return None, _validated(meant, {**data, "type": meant}, document, said)[1] if meant else said


def _validated(
    kind: str, data: object, document: Document, said: list[Problem]
) -> tuple[Configuration | None, list[Problem]]:
    """Return `data` as a configuration of type `kind`, and the problems in `said` followed by its own."""
    try:
        return _KINDS[kind].model_validate(data), said
    except ValidationError as error:
        places = {problem.where for problem in said}
        return None, [*said, *(p for p in problems_of(error, document) if p.where not in places)]


def _meant(kind: object, data: Mapping[str, object]) -> str | None:
    """Return the type that was probably meant, so that one report has all problems; None if that is only a guess."""
    if kind is None:
        return "gateway" if "backend" in data else "service"
    return nearest(kind, _KINDS) if isinstance(kind, str) and kind not in TYPES else None


def _not_a_map(data: object) -> Problem:
    found = "no keys and values" if data is None else "a list" if isinstance(data, list) else "text without keys"
    return Problem(
        where="", line=1, found=found, rule="a configuration must be a map of keys and values", remedy=_BEGIN
    )


def _wrong_type(kind: object, document: Document) -> Iterator[Problem]:
    if ("type",) in document.unread:
        return
    line, found = document.line(("type",)), shown(kind, document.written.get(("type",)))
    if kind is None:
        rule = "`type` is required: service or gateway"
        remedy = "add `type: service` or `type: gateway`"
        yield Problem(where="type", line=line, found=NOTHING, rule=rule, remedy=remedy)
    elif isinstance(kind, str) and kind in TYPES:
        rule = f"type {kind} is not supported: {TYPES[kind]}"
        yield Problem(where="type", line=line, found=found, rule=rule, remedy="use dstack for this configuration")
    else:
        near = nearest(kind, ["service", "gateway"]) if isinstance(kind, str) else None
        remedy = f"write `type: {near}`" if near else "write `type: service` or `type: gateway`"
        yield Problem(where="type", line=line, found=found, rule="the type must be service or gateway", remedy=remedy)
