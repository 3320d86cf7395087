"""The chat template and special tokens of a model, from the files of its repository.

The first file that has a template counts (docs/translation.md#where-a-template-comes-from). Separate files override
`tokenizer_config.json`, as in transformers.
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
    """A repository in which a chat template or the size of weights is looked up."""

    repo: str
    revision: str | None
    token: Secret | None
    site: str | None = None
    """The Hub of the service itself (its `HF_ENDPOINT`), which its token belongs to; `None`: the caller's Hub."""
    file: str | None = None
    """The GGUF file that a server loads, or its quantization (`Q4_K_M`); `None`: not given."""


@dataclass(frozen=True, kw_only=True)
class ChatTemplate:
    """The templates that were found, and the tokens that they and the gateway use."""

    template: str | None
    """`None`: not looked up on purpose (`unresolved`). Such a plan can be shown but not deployed."""
    named: Mapping[str, str]
    """Further templates by name (`tool_use`)."""
    origin: str
    """The origin of the template, for messages: `tokenizer_config.json of owner/name`."""
    tokens: Tokens
    sha: str | None
    """The commit; `None`: the origin has no commits."""


ResolveChatTemplate = Callable[[ModelRepository], ChatTemplate]
"""A function that finds the chat template of a model that has none in its configuration. Raises `HubError`."""


def unresolved(wanted: ModelRepository) -> ChatTemplate:
    """Return no template, on purpose: for a plan that is only shown, and for which the Hub is not asked."""
    nothing = Tokens(eos=None, bos=None, others={}, ends=())
    return ChatTemplate(template=None, named={}, origin=wanted.repo, tokens=nothing, sha=None)


def unresolved_out_of_reach(resolve: ResolveChatTemplate) -> ResolveChatTemplate:
    """Return a function like `resolve` that returns no template when the Hub does not answer. It raises other
    errors."""

    def resolve_or_leave(wanted: ModelRepository) -> ChatTemplate:
        try:
            return resolve(wanted)
        except HubOutOfReachError:
            return unresolved(wanted)

    return resolve_or_leave


def resolve_with(open_repository: OpenRepository) -> ResolveChatTemplate:
    """Return a function that finds chat templates in the repositories that `open_repository` opens."""

    def resolve(wanted: ModelRepository) -> ChatTemplate:
        return find_chat_template(open_repository(wanted.repo, wanted.revision, wanted.token, wanted.site), wanted.repo)

    return resolve


def find_chat_template(files: RepositoryFiles, repo: str) -> ChatTemplate:
    """Return the chat template and tokens of one repository. Raises `HubError`, which names the files it looked in."""
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
    """Return the first file with a template, and its templates by name; no names if no file has one."""
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
    """Return templates by name, from a text, a list of {name, template}, or a map from names to texts."""
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
    files = ", ".join((JINJA_FILE, f"{ADDITIONAL}*.jinja", *JSON_FILES))
    if named:
        return HubError(
            f"{repo} has chat templates named {', '.join(sorted(named))}, but none named default (looked in {files})",
            "set model.chat_template in the configuration",
        )
    return HubError(
        f"{repo} has no chat template (looked in {files}): a model that was not trained for chat has none",
        "set model.chat_template in the configuration, or set model.hub_repo to a repository that has one",
    )


def _json_reader(files: RepositoryFiles, repo: str) -> Callable[[str], Mapping[str, Any]]:
    """Return a function that reads a JSON file once. A missing file is an empty object."""
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
