"""Read and check the words of stack config or the command line, and apply them to a configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, cast, overload

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from infra.configuration.document import Document
from infra.configuration.environment import read_environment
from infra.configuration.gateway import GatewayConfiguration
from infra.configuration.problem import HIDDEN, NOTHING, ConfigurationError, KeyPath, Problem, Source, spell
from infra.configuration.reporting import problems_of
from infra.configuration.secret import Secret
from infra.configuration.service import ServiceConfiguration
from infra.configuration.settings import GatewaySettings, ServiceSettings, StackSettings

Spelling = Literal["stack config", "command line"]
"""How the user wrote the words. Reports name them in the same way: `stack config gpu` or `--gpu`."""

_TYPES: Mapping[str, type[ServiceSettings] | type[GatewaySettings]] = {
    "service": ServiceSettings,
    "gateway": GatewaySettings,
}
_CONFIGURATIONS: Mapping[str, type[ServiceConfiguration] | type[GatewayConfiguration]] = {
    "service": ServiceConfiguration,
    "gateway": GatewayConfiguration,
}
_LISTS = ("regions", "instance_types", "availability_zones", "keys", "subnet_ids")
_BY_NAME = ("env", "secrets")
_RESOURCES = ("gpu", "cpu", "memory", "disk")
_PLACEMENT = ("auth", "gateway", "spot_policy", "max_price", "regions", "instance_types", "availability_zones")


@overload
def read_settings(
    values: Mapping[str, object], kind: Literal["service"], spelling: Spelling = "stack config"
) -> ServiceSettings: ...
@overload
def read_settings(
    values: Mapping[str, object], kind: Literal["gateway"], spelling: Spelling = "stack config"
) -> GatewaySettings: ...
def read_settings(
    values: Mapping[str, object], kind: Literal["service", "gateway"], spelling: Spelling = "stack config"
) -> StackSettings:
    """Return the settings of a stack of type `kind`.

    `values` has the words without a namespace. A value is a text (for a map or a list, it can be JSON), a plain number,
    boolean, list or map, or a `Secret` with a text. Secrets in `env` stay secret. Raises `ConfigurationError` with all
    problems.
    """

    document = Document(data={key: _plain(key, value) for key, value in values.items()})
    document.lines = dict.fromkeys(_paths(document.data), 0)
    place, _ = _PLACES[spelling]
    try:
        return _TYPES[kind].model_validate(document.data)
    except ValidationError as error:
        secret = tuple(place((key,)) for key, value in values.items() if isinstance(value, Secret))
        problems = [
            _in_words_of_a_stack(problem, kind, place, values) for problem in problems_of(error, document, place)
        ]
        shown = [
            replace(problem, found=HIDDEN) if problem.where.startswith(secret) else problem for problem in problems
        ]
        raise ConfigurationError(spelling, shown) from None


@overload
def apply_settings(
    configuration: ServiceConfiguration, settings: StackSettings, spelling: Spelling = "stack config"
) -> ServiceConfiguration: ...
@overload
def apply_settings(
    configuration: GatewayConfiguration, settings: StackSettings, spelling: Spelling = "stack config"
) -> GatewayConfiguration: ...
def apply_settings(
    configuration: ServiceConfiguration | GatewayConfiguration,
    settings: StackSettings,
    spelling: Spelling = "stack config",
) -> ServiceConfiguration | GatewayConfiguration:
    """Return the configuration with the values in `settings`, which override its own. Later problems name the settings.

    Raises `ConfigurationError` when the settings are for the other type of stack.
    """
    set_over: dict[str, KeyPath] = {}
    if isinstance(configuration, GatewayConfiguration) and isinstance(settings, GatewaySettings):
        changes = _given(settings, ("domain",))
        set_over |= {key: (key,) for key in changes}
        return configuration.changed(changes).at(_set_over(configuration.source, set_over, spelling))
    if isinstance(configuration, ServiceConfiguration) and isinstance(settings, ServiceSettings):
        changes = _given(settings, _PLACEMENT)
        set_over |= {key: (key,) for key in changes}
        if resources := _given(settings, _RESOURCES):
            changes["resources"] = configuration.resources.model_copy(update=resources)
            set_over |= {f"resources.{key}": (key,) for key in resources}
        if settings.env:
            changes["env"] = {**configuration.env, **settings.env}
            set_over |= {f"env.{name}": ("env", name) for name in settings.env}
        return configuration.changed(changes).at(_set_over(configuration.source, set_over, spelling))
    kind = "gateway" if isinstance(settings, GatewaySettings) else "service"
    rule, remedy = f"a stack cannot change its type, and this is the stack of a {kind}", "use another stack"
    problem = Problem(where="type", found=configuration.type, rule=rule, remedy=remedy)
    raise ConfigurationError(configuration.source.name, [problem])


def _set_over(source: Source, words: Mapping[str, KeyPath], spelling: Spelling) -> Source:
    """Return the source of a configuration in which words override some values, which are given by key path."""
    spell_word, within = _PLACES[spelling]
    places = {key: spell_word(word) for key, word in words.items()}
    return replace(source, elsewhere={**places, **{f"{key}.": place + within for key, place in places.items()}})


def _given(settings: StackSettings, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(settings, name)) is not None}


def _in_stack_config(path: KeyPath) -> str:
    return f"stack config {spell(path)}"


def _as_option(path: KeyPath) -> str:
    option = "--" + spell(path[:1]).replace("_", "-")
    return option if len(path) < 2 else f"{option} {spell(path[1:])}"


_PLACES: Mapping[Spelling, tuple[Callable[[KeyPath], str], str]] = {
    "stack config": (_in_stack_config, "."),
    "command line": (_as_option, " "),
}
"""How reports name a word, and the separator between the word and a key in its value."""


def _plain(key: str, value: object) -> object:
    """Return the value that the text of a word stands for: JSON of a map or a list, or `a,b` for a list."""
    if isinstance(value, Secret):
        inner = _plain(key, value.reveal())
        return _with_secrets(inner) if key in _BY_NAME else inner
    if key in _BY_NAME and isinstance(value, Mapping):
        given = cast(Mapping[str, object], value)
        return {name: json.dumps(item) if isinstance(item, bool) else item for name, item in given.items()}
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:1] in ("{", "["):
        try:
            return _plain(key, json.loads(text))
        except (ValueError, RecursionError):
            return value
    return [item.strip() for item in text.split(",")] if key in _LISTS else value


def _with_secrets(env: object) -> object:
    """Return `env` or `secrets` with all values as `Secret`. Invalid ones stay unchanged; their report shows none."""
    try:
        read = read_environment(env)
    except (PydanticCustomError, ValidationError):
        return env
    return {name: Secret(value) if isinstance(value, str) else value for name, value in read.items()}


def _paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    yield path
    if isinstance(value, Mapping):
        for key, item in cast(Mapping[str, object], value).items():
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast(list[object], value)):
            yield from _paths(item, (*path, index))


def _in_words_of_a_stack(problem: Problem, kind: str, place: Callable[[KeyPath], str], words: Iterable[str]) -> Problem:
    """Return the problem in words for stack config: how to set a missing word, or that it is for the other type."""
    other = "gateway" if kind == "service" else "service"
    if problem.where == "stack config configuration" and problem.found == NOTHING:
        return replace(problem, remedy="run `pulumi config set configuration PATH`")
    if problem.where == "stack config env":
        return replace(
            problem, remedy="set each variable: pulumi config set --path env.NAME VALUE, with --secret for a secret"
        )
    if problem.where == "stack config secrets":
        return replace(problem, remedy="set each secret: pulumi config set --secret --path secrets.NAME VALUE")
    for word in words:
        outer, dot, _ = word.partition(".")
        if dot and outer in _TYPES[kind].model_fields and problem.where == place((word,)):
            rule = f"`pulumi config set` sets a key inside `{outer}` only with --path"
            again = f"pulumi config set --path {word} VALUE (a secret: --secret)"
            return replace(problem, rule=rule, remedy=f"run pulumi config rm {word}, then {again}")
    for word in _TYPES[other].model_fields.keys() - _TYPES[kind].model_fields.keys():
        if problem.where == place((word,)):
            rule = f"`{word}` is a setting of a {other}, and this configuration is a {kind}"
            return replace(
                problem, found=None, rule=rule, remedy=f"remove it here, and set it in the stack of the {other}"
            )
    for word, (rule, remedy) in _elsewhere(kind):
        if problem.where == place((word,)):
            remedy = f"remove it here (pulumi config rm {word}), and {remedy}"
            return replace(problem, found=None, rule=rule, remedy=remedy)
    return problem


def _elsewhere(kind: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Words that are not stack config, and where they belong: (word, (rule, remedy))."""
    yield "profile", ("the AWS profile is a setting of the AWS provider", "run pulumi config set aws:profile NAME")
    if kind == "service":
        rule = "the region is in the configuration of the gateway, and a service follows its gateway"
        yield "region", (rule, "set `region` there")
    for word in _CONFIGURATIONS[kind].model_fields.keys() - _TYPES[kind].model_fields.keys():
        yield word, (f"`{word}` is a key of the configuration, and not of stack config", f"write `{word}: …` there")
