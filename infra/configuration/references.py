"""dstack's references, `${{ env.NAME }}` and `${{ secrets.NAME }}`: where they can stand.

`infra.configuration.filling` puts their values in their place. Any other reference is refused by name, so that none
reaches a container as text. `$${{` is the text `${{`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from infra.configuration.document import Document
from infra.configuration.names import PROJECT_NAME
from infra.configuration.problem import KeyPath, Problem, spell

REFERENCE = re.compile(r"\$(?P<escaped>\$\{\{)|\$\{\{(?P<name>.*?)(?P<closing>\}\}|\Z)", re.DOTALL)
NAME = re.compile(r"(?P<space>env|secrets)\.(?P<key>[A-Za-z_][A-Za-z0-9_]*)", re.ASCII)

_SHELL = re.compile(r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)
"""A whole text that a shell would replace by the value of a variable."""

_FORMS = "write ${{ env.NAME }} for a variable in env, or ${{ secrets.NAME }} for a secret in stack config"

CREDENTIALS: tuple[KeyPath, ...] = (
    ("registry_auth", "username"),
    ("registry_auth", "password"),
    ("model", "upstream_api_key"),
)


def check_references(document: Document) -> Iterator[Problem]:
    """Return a problem for every reference that does not work at its place."""
    for path, text in _texts(document.data, ()):
        if path[:1] == ("model",) and path[-1] != "upstream_api_key":
            continue
        for match in REFERENCE.finditer(text):
            if match["escaped"] or (_is_read(path) and match["closing"] and NAME.fullmatch(match["name"].strip())):
                continue
            if path == ("domain",) and PROJECT_NAME.fullmatch(match[0]):
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


def _is_read(path: KeyPath) -> bool:
    if path[:1] == ("probes",):
        return path[2:] in (("url",), ("body",)) or (path[2:3] == ("headers",) and path[-1] == "value")
    if path[:1] in (("replicas",), ("groups",)):
        return path[2:3] in (("image",), ("commands",))
    return path in CREDENTIALS or path == ("image",) or path[:1] in (("env",), ("commands",))


def _refuse(path: KeyPath, match: re.Match[str], document: Document) -> Problem:
    name = match["name"].strip()
    found = f"${{{{ {name} }}}}" if re.fullmatch(r"[a-z]+\.[A-Za-z0-9_.]{1,60}", name) else "a reference"
    if not match["closing"]:
        found, rule, remedy = "${{", "a reference must end with }}", "add }}, or write $${{ for the text ${{"
    elif name == "run.args":
        rule, remedy = "run arguments are not supported", "write the arguments in commands"
    elif _is_read(path):
        rule, remedy = "a reference must have the form ${{ env.NAME }} or ${{ secrets.NAME }}", _FORMS
    else:
        rule = "references work only in env, commands, image, registry_auth, probes and model.upstream_api_key"
        remedy = "write the value; for the text ${{, write $${{"
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
