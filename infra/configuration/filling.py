"""The values of references, once all variables and secrets are known.

dstack fills `env` in `registry_auth` and `probes`, and `secrets` in `registry_auth` and `env`. Here both work in all of
these, in `model.upstream_api_key`, and in `commands` and `image`. But `commands`, `image` and the `url` of a probe are
readable for others, so a secret there is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from pydantic_core import PydanticCustomError

from infra.configuration.image import check_image
from infra.configuration.problem import KeyPath, Problem, spell
from infra.configuration.references import NAME, REFERENCE
from infra.configuration.secret import Secret
from infra.configuration.service import ServiceConfiguration

Values = Mapping[str, str | Secret]
Text = TypeVar("Text", str, Secret)

_MOST_STEPS = 20
"""Variables from one that is filled to the last one that it refers to."""
_LONGEST = 65_536
"""Characters of a value. It is far above what a variable can have: without a limit, a few lines fill all memory."""
_HOW_TO_SET = "set it: pulumi config set --secret --path secrets.{name} …, or on the command line --secret {name}=…"
_READABLE: Mapping[str, tuple[str, str]] = {
    "commands": (
        "commands, which are in the machine's user data",
        "write `- {name}={reference}` in env, and ${name} in the command",
    ),
    "image": ("image, which is in the machine's user data", "write the value; for a login, use registry_auth"),
    "probes": (
        "a probe's url, which everyone with access to the load balancer can read",
        "write a path that answers without the secret",
    ),
}
"""Places where no secret can stand, by the first part of their path: (why, remedy)."""


def fill_environment(
    configuration: ServiceConfiguration, values: Values, secrets: Mapping[str, Secret], problems: list[Problem]
) -> dict[str, str | Secret]:
    """Return `values` with every reference replaced. A value with a secret in it is a secret.

    Only a plain text has references: a secret value is taken as it is. Adds unknown names, and variables that refer to
    each other in a circle, to `problems`.
    """
    filled: dict[str, str | Secret] = {}

    def resolve(name: str, within: tuple[str, ...]) -> str | Secret:
        if name in filled:
            return filled[name]
        value = values[name]
        if isinstance(value, Secret) or "${{" not in value:
            return value
        path = ("env", name)

        def find(space: str, key: str) -> str | Secret | None:
            if space == "secrets":
                return secrets.get(key)
            if len(within) >= _MOST_STEPS:
                rule = f"{name} is reached through more than {_MOST_STEPS} variables that refer to each other"
                problems.append(_problem(configuration, path, rule, "write the value of one of them"))
                return ""
            if key in (*within, name):
                rule = f"{name} refers to itself" if key == name else f"{name} and {key} refer to each other"
                problems.append(_problem(configuration, path, rule, "write the value of one of them"))
                return ""
            return resolve(key, (*within, name)) if key in values else None

        text, secret = _filled(value, find, lambda space, key: _unknown(configuration, path, space, key, problems))
        if len(text) > _LONGEST:
            rule = f"with its references replaced, the value has more than {_LONGEST} characters"
            problems.append(_problem(configuration, path, rule, "write a shorter value"))
            text = ""
        filled[name] = Secret(text) if secret else text
        return filled[name]

    return {name: resolve(name, ()) for name in values}


def fill_references(
    configuration: ServiceConfiguration, values: Values, secrets: Mapping[str, Secret], problems: list[Problem]
) -> ServiceConfiguration:
    """Return the configuration with every reference outside of `env` replaced by its value.

    `values` holds the values of all variables of the service, `secrets` those of stack config. The function adds a
    problem to `problems` for each name that is in neither, and for each secret that others could read. It replaces
    these references with nothing.
    """

    def find(space: str, key: str) -> str | Secret | None:
        return secrets.get(key) if space == "secrets" else values.get(key)

    def fill(text: Text, *path: str | int) -> Text:
        written = text.reveal() if isinstance(text, Secret) else text
        if "${{" not in written:
            return text

        def find_here(space: str, key: str) -> str | Secret | None:
            found = find(space, key)
            if isinstance(found, Secret) and (readable := _readable(path)):
                why, remedy = readable
                said = remedy.format(name=key, reference=f"${{{{ {space}.{key} }}}}")
                said = f"write ${key} in the command" if space == "env" and path[0] == "commands" else said
                rule = f"{key} is a secret and must not be in {why}"
                problems.append(_problem(configuration, path, rule, said))
                return ""
            return found

        value, _ = _filled(written, find_here, lambda space, key: _unknown(configuration, path, space, key, problems))
        return cast(Text, Secret(value) if isinstance(text, Secret) else value)

    changes: dict[str, object] = {}
    if configuration.image is not None and "${{" in configuration.image:
        changes["image"] = image = fill(configuration.image, "image")
        try:
            check_image(image)
        except PydanticCustomError as error:
            rule, remedy = str(error.context and error.context["rule"]), str(error.context and error.context["remedy"])
            problems.append(_problem(configuration, ("image",), rule, remedy, found=image))
    changes["commands"] = tuple(fill(text, "commands", index) for index, text in enumerate(configuration.commands))
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


def _filled(
    text: str, find: Callable[[str, str], str | Secret | None], unknown: Callable[[str, str], None]
) -> tuple[str, bool]:
    """Return the text with its references replaced, and whether a secret is in it. A value is not read again."""
    secret = False

    def value(match: re.Match[str]) -> str:
        nonlocal secret
        if match["escaped"]:
            return str(match["escaped"])
        name = NAME.fullmatch(match["name"].strip()) if match["closing"] else None
        space, key = (name["space"], name["key"]) if name else ("", match["name"].strip())
        found = find(space, key) if name else None
        if found is None:
            unknown(space, key)
            return ""
        secret = secret or isinstance(found, Secret)
        return found.reveal() if isinstance(found, Secret) else found

    return REFERENCE.sub(value, text), secret


def _unknown(
    configuration: ServiceConfiguration, path: KeyPath, space: str, name: str, problems: list[Problem]
) -> None:
    if space == "secrets":
        rule, remedy = f"{name} is not a secret in stack config", _HOW_TO_SET.format(name=name)
    elif space == "env":
        rule, remedy = f"{name} is not an environment variable of the service", f"add `- {name}` to env"
    else:
        rule = "a reference must have the form ${{ env.NAME }} or ${{ secrets.NAME }}"
        remedy = "write one of them, or $${{ for the text ${{"
    problems.append(_problem(configuration, path, rule, remedy))


def _readable(path: KeyPath) -> tuple[str, str] | None:
    return _READABLE.get(str(path[0])) if path[0] != "probes" or path[-1] == "url" else None


def _problem(
    configuration: ServiceConfiguration, path: KeyPath, rule: str, remedy: str, found: str | None = None
) -> Problem:
    line = configuration.source.line(path)
    return Problem(where=spell(path), line=line, found=found, rule=rule, remedy=remedy)
