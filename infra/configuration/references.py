"""dstack's references, `${{ env.NAME }}`: where they can stand, and their values once all variables are known.

As in dstack, references work in credentials and probes. dstack also fills `secrets` and run arguments in other places.
Any other reference is refused by name, so that no reference reaches a container as text. `$${{` is the text `${{`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar, cast

from infra.configuration.document import Document
from infra.configuration.problem import KeyPath, Problem, spell
from infra.configuration.secret import Secret
from infra.configuration.service import ServiceConfiguration

_REFERENCE = re.compile(r"\$(?P<escaped>\$\{\{)|\$\{\{(?P<name>.*?)(?P<closing>\}\}|\Z)", re.DOTALL)
_ENV = re.compile(r"env\.([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)

_SHELL = re.compile(r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)
"""A whole text that a shell would replace by the value of a variable."""

_STACK_CONFIG = "write only the name in env, `- NAME`, and set its value: pulumi config set --secret --path env.NAME …"

CREDENTIALS: tuple[KeyPath, ...] = (
    ("registry_auth", "username"),
    ("registry_auth", "password"),
    ("model", "upstream_api_key"),
)

Text = TypeVar("Text", str, Secret)


def check_references(document: Document) -> Iterator[Problem]:
    """Return a problem for every reference that does not work at its place."""
    for path, text in _texts(document.data, ()):
        if path[:1] == ("model",) and path[-1] != "upstream_api_key":
            continue
        for match in _REFERENCE.finditer(text):
            if match["escaped"] or (_is_read(path) and match["closing"] and _ENV.fullmatch(match["name"].strip())):
                continue
            yield _refuse(path, match, document)
        if path in CREDENTIALS and (variable := _shell_variable(text, document)):
            yield Problem(
                where=spell(path),
                line=document.line(path),
                found=f"${variable}",
                rule="no shell reads this value, so the text itself would be the credential",
                remedy=f"write ${{{{ env.{variable} }}}}, and `- {variable}` under env",
            )


def _shell_variable(text: str, document: Document) -> str | None:
    """Return the variable that a text means. `$oauthtoken`, the user of NVIDIA's registry, is not one: it has the form
    of a variable, but env does not name it."""
    match = _SHELL.fullmatch(text.strip())
    if match is None:
        return None
    name = match["bare"] or match["braced"]
    meant = match["braced"] is not None or name.isupper() or name in _env_names(document.data)
    return name if meant else None


def _env_names(data: object) -> set[str]:
    env = cast(dict[str, object], data).get("env") if isinstance(data, dict) else None
    if isinstance(env, dict):
        return set(cast(dict[str, object], env))
    entries = cast(list[object], env) if isinstance(env, list) else []
    return {str(entry).partition("=")[0] for entry in entries}


def fill_references(
    configuration: ServiceConfiguration, values: Mapping[str, str | Secret], problems: list[Problem]
) -> ServiceConfiguration:
    """Return the configuration with every `${{ env.NAME }}` replaced by its value.

    `values` holds the values of all variables of the service. The function adds a problem to `problems` for each name
    that is not in `values`, and for each secret that others could read. It replaces these references with nothing.
    """

    def fill(text: Text, *path: str | int) -> Text:
        def value(match: re.Match[str]) -> str:
            if match["escaped"]:
                return match["escaped"]
            name = match["name"].strip().removeprefix("env.")
            found = values.get(name)
            if found is None or (isinstance(found, Secret) and path[-1] == "url"):
                rule, remedy = _missing(name) if found is None else _shown(name)
                line = configuration.source.line(path)
                problems.append(Problem(where=spell(path), line=line, rule=rule, remedy=remedy))
                return ""
            return found.reveal() if isinstance(found, Secret) else found

        if isinstance(text, Secret):
            return cast(Text, Secret(_REFERENCE.sub(value, text.reveal())))
        return cast(Text, _REFERENCE.sub(value, text))

    changes: dict[str, object] = {}
    if login := configuration.registry_auth:
        username = fill(login.username, "registry_auth", "username")
        password = fill(login.password, "registry_auth", "password")
        changes["registry_auth"] = login.model_copy(update={"username": username, "password": password})
    if (model := configuration.model) and model.upstream_api_key:
        key = fill(model.upstream_api_key, "model", "upstream_api_key")
        changes["model"] = model.model_copy(update={"upstream_api_key": key})
    if configuration.probes:
        probes = list(configuration.probes)
        for index, probe in enumerate(probes):
            headers = [
                header.model_copy(update={"value": fill(header.value, "probes", index, "headers", number, "value")})
                for number, header in enumerate(probe.headers)
            ]
            url = fill(probe.url, "probes", index, "url")
            body = None if probe.body is None else fill(probe.body, "probes", index, "body")
            probes[index] = probe.model_copy(update={"url": url, "body": body, "headers": tuple(headers)})
        changes["probes"] = tuple(probes)
    return configuration.changed(changes)


def _missing(name: str) -> tuple[str, str]:
    return f"{name} is not an environment variable of the service", f"add `- {name}` to env"


def _shown(name: str) -> tuple[str, str]:
    rule = (
        f"{name} is a secret and must not be in a probe's url, which everyone with access to the load balancer can read"
    )
    return rule, "write a path that answers without the secret"


def _is_read(path: KeyPath) -> bool:
    if path[:1] == ("probes",):
        return path[2:] in (("url",), ("body",)) or (path[2:3] == ("headers",) and path[-1] == "value")
    return path in CREDENTIALS


def _refuse(path: KeyPath, match: re.Match[str], document: Document) -> Problem:
    name = match["name"].strip()
    found = f"${{{{ {name} }}}}" if re.fullmatch(r"[a-z]+\.[A-Za-z0-9_.]{1,60}", name) else "a reference"
    namespace = name.split(".")[0]
    if not match["closing"]:
        found, rule, remedy = "${{", "a reference must end with }}", "add }}, or write $${{ for the text ${{"
    elif _is_read(path):
        rule, remedy = "a reference here must have the form ${{ env.NAME }}", _STACK_CONFIG
    elif namespace == "secrets":
        rule, remedy = "dstack's secrets are not supported: stack config holds secrets", _STACK_CONFIG
    elif name == "run.args":
        rule, remedy = "run arguments are not supported", "write the arguments in commands"
    else:
        rule = "references work only in registry_auth, probes and model.upstream_api_key"
        remedy = "write the value; in commands, write $NAME for a variable; for the text ${{, write $${{"
    return Problem(where=spell(path), line=document.line(path), found=found, rule=rule, remedy=remedy)


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in cast(dict[str, object], value).items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast(list[object], value)):
            yield from _texts(item, (*path, index))
