"""The chat template and special tokens of a model, out of its repository's files (translation.md §7.4).

Templates, first found: `chat_template.jinja` with `additional_chat_templates/*.jinja`, `chat_template.json`,
`tokenizer_config.json`, `processor_config.json`. Separate files win over `tokenizer_config.json`, as in transformers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, cast

from infra.configuration import Secret
from infra.planning.repository import HubError, HubOutOfReachError, OpenRepository, RepositoryFiles
from infra.planning.special_tokens import Tokens, read_tokens

ADDITIONAL = "additional_chat_templates/"
JINJA_FILE = "chat_template.jinja"
JSON_FILES = ("chat_template.json", "tokenizer_config.json", "processor_config.json")


@dataclass(frozen=True, kw_only=True)
class ModelRepository:
    """Where a chat template, or weights, are looked for."""

    repo: str
    revision: str | None
    token: Secret | None
    site: str | None = None
    """The Hub that the service itself asks (its own `HF_ENDPOINT`), for which its token is; `None`: the caller's."""


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """What was found: the templates and the tokens they and the gateway use."""

    template: str | None
    """`None`: left unresolved on purpose (`unresolved`); a plan with it can be shown but not deployed."""
    named: Mapping[str, str]
    """Further templates by name (`tool_use`)."""
    origin: str
    """Where the template is from, for messages: `tokenizer_config.json of owner/name`."""
    tokens: Tokens
    sha: str | None
    """The commit; `None`: not from a repository that has commits."""


ResolveChatTemplate = Callable[[ModelRepository], ChatTemplate]
"""How a chat template is found for a model that has none in its configuration. Raises `HubError`."""


def unresolved(wanted: ModelRepository) -> ChatTemplate:
    """Finds nothing, on purpose: for a plan that is only shown where the Hub is out of reach."""
    nothing = Tokens(eos=None, bos=None, others={}, ends=())
    return ChatTemplate(template=None, named={}, origin=wanted.repo, tokens=nothing, sha=None)


def unresolved_out_of_reach(resolve: ResolveChatTemplate) -> ResolveChatTemplate:
    """As `resolve`, but what nothing can be known of now is left unresolved; what is wrong is still said."""

    def resolve_or_leave(wanted: ModelRepository) -> ChatTemplate:
        try:
            return resolve(wanted)
        except HubOutOfReachError:
            return unresolved(wanted)

    return resolve_or_leave


def resolve_with(open_repository: OpenRepository) -> ResolveChatTemplate:
    """Finds chat templates in the files of repositories that `open_repository` opens."""

    def resolve(wanted: ModelRepository) -> ChatTemplate:
        return find_chat_template(open_repository(wanted.repo, wanted.revision, wanted.token, wanted.site), wanted.repo)

    return resolve


def find_chat_template(files: RepositoryFiles, repo: str) -> ChatTemplate:
    """The chat template and tokens of one repository. Raises `HubError`, naming the files that were tried."""
    read = _json_reader(files, repo)
    additional = {
        PurePosixPath(name).stem: _text(files, name, repo)
        for name in sorted(files.names)
        if name.startswith(ADDITIONAL) and name.endswith(".jinja")
    }
    origin, found = _first_found(files, repo, read)
    named = {**found, **additional}
    template = named.pop("default", None)
    if template is None:
        raise _no_template(repo, named)
    return ChatTemplate(
        template=template,
        named=named,
        origin=f"{origin} of {repo}",
        tokens=read_tokens(read),
        sha=files.sha,
    )


def _first_found(
    files: RepositoryFiles, repo: str, read: Callable[[str], Mapping[str, Any]]
) -> tuple[str, dict[str, str]]:
    """The first file with a template, and its templates by name; nothing found is no name at all."""
    if JINJA_FILE in files.names:
        text = _text(files, JINJA_FILE, repo)
        if text:
            return JINJA_FILE, {"default": text}
    for name in JSON_FILES:
        templates = _templates(read(name).get("chat_template"), name, repo)
        if templates:
            return name, templates
    return ADDITIONAL, {}


def _templates(value: object, file: str, repo: str) -> dict[str, str]:
    """Templates by name, from a text, a list of {name, template}, or a map from name to text."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        return {"default": value}
    if isinstance(value, Mapping):
        by_name = cast(Mapping[object, object], value)
        if all(isinstance(name, str) and isinstance(text, str) for name, text in by_name.items()):
            return dict(cast(Mapping[str, str], by_name))
    if isinstance(value, list):
        entries = cast(list[object], value)
        pairs = [_named(entry) for entry in entries]
        if None not in pairs:
            return dict(pair for pair in pairs if pair is not None)
    raise HubError(
        f"chat_template in {file} of {repo} is neither a text nor a list of {{name, template}}",
        "set model.chat_template in the configuration",
    )


def _named(entry: object) -> tuple[str, str] | None:
    if not isinstance(entry, Mapping):
        return None
    given = cast(Mapping[object, object], entry)
    name, template = given.get("name"), given.get("template")
    return (name, template) if isinstance(name, str) and isinstance(template, str) else None


def _no_template(repo: str, named: Mapping[str, str]) -> HubError:
    tried = ", ".join((JINJA_FILE, f"{ADDITIONAL}*.jinja", *JSON_FILES))
    if named:
        return HubError(
            f"{repo} has chat templates named {', '.join(sorted(named))}, but none named default (tried {tried})",
            "set model.chat_template in the configuration",
        )
    return HubError(
        f"{repo} has no chat template (tried {tried})",
        "set model.chat_template in the configuration, or model.hub_repo to a repository that has one: "
        "a model that was not trained for chat has none",
    )


def _json_reader(files: RepositoryFiles, repo: str) -> Callable[[str], Mapping[str, Any]]:
    """Reads a JSON file once; a file that is not there is an empty object."""
    parsed: dict[str, Mapping[str, Any]] = {}

    def read(name: str) -> Mapping[str, Any]:
        if name not in files.names:
            return {}
        if name not in parsed:
            parsed[name] = _object(_text(files, name, repo), name, repo)
        return parsed[name]

    return read


def _object(text: str, name: str, repo: str) -> Mapping[str, Any]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise HubError(f"{name} of {repo} is not a JSON object", "set model.chat_template and model.eos_token")
    return cast(dict[str, Any], value)


def _text(files: RepositoryFiles, name: str, repo: str) -> str:
    try:
        return files.read(name).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HubError(f"{name} of {repo} is not UTF-8 text", "set model.chat_template and model.eos_token") from None
