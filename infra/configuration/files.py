"""The keys `files` and `repos` of a service: what is copied into its container, or cloned there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, field_validator
from pydantic_core import CoreSchema, PydanticCustomError

from infra.configuration.problem import HIDDEN, NOTHING
from infra.configuration.section import Section, problem

_HASH = r"[0-9a-f]{40}([0-9a-f]{24})?"
_BRANCH = r"(?![-/.])(?!.*(\.\.|//|@\{|[./]$))[^\x00-\x20\x7f~^:?*\[\\]+"
"""Names that `git check-ref-format` accepts, but for rare ones."""
_SCP = re.compile(r"[^/@:]+@(?P<host>[^/:]+):(?P<path>.+)")
_URL = re.compile(
    r"(?P<scheme>https|ssh)://(?:(?P<login>[^/@]*)@)?(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d+))?/(?P<path>.+)"
)
_URL_RULE = "a repository's URL must have the form https://host/path"


def https_url(value: str) -> str | None:
    """Return the HTTPS address of a git repository, whose URL can have any form that git reads. `None`: it has no such
    address.

    As in dstack, a repository with an SSH address is read by HTTPS.
    """
    if match := _SCP.fullmatch(value):
        return f"https://{match['host'].lower()}/{match['path'].lstrip('/')}"
    if match := _URL.fullmatch(value):
        port = f":{match['port']}" if match["port"] and match["scheme"] == "https" else ""
        return f"https://{match['host'].lower()}{port}/{match['path']}"
    return None


def _is_a_path_of_the_container(value: str) -> str:
    if not value or PureWindowsPath(value).is_absolute() or "\0" in value:
        raise problem("a path of the container must be a Unix path", "write a path such as app or /app")
    if value.startswith("~") and value != "~" and not value.startswith("~/"):
        raise problem("only ~ itself can stand for a home folder", "write the user's folder, such as /home/alice")
    return value


ContainerPath = Annotated[str, AfterValidator(_is_a_path_of_the_container)]


class FileMapping(Section, frozen=True):
    """A file or a folder that is copied into the container."""

    local_path: str = Field(
        min_length=1,
        description="The file or folder on your machine. A relative path begins at the folder of the configuration",
        examples=["app"],
    )
    path: ContainerPath = Field(
        description="Its path in the container. A relative path begins at the working directory", examples=["/app"]
    )

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `app` and `app:/srv/app`."""
        if not isinstance(value, str):
            return value
        parts = value.split(":")
        if len(parts) > 2:
            rule = "an entry must be a path, or two paths joined by a colon"
            raise problem(rule, "write `- local:remote`, or a map with local_path and path")
        return {"local_path": parts[0], "path": parts[-1]}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": "^[^:]+(:[^:]+)?$"}, handler(schema)]}


class Repository(Section, frozen=True):
    """A git repository that is cloned into the container."""

    local_path: str | None = Field(
        default=None,
        min_length=1,
        description="The folder of your clone. Its remote branch is cloned, and your local changes are added. A "
        "relative path begins at the folder of the configuration",
    )
    url: str | None = Field(default=None, description="The URL of the repository, if there is no local_path")
    branch: str | None = Field(
        default=None,
        description="The branch (only with url). If not set, the repository's default branch",
        json_schema_extra={"pattern": f"^{_BRANCH}$"},
    )
    hash: str | None = Field(
        default=None,
        description="The whole hash of a commit (only with url). If not set, the newest commit of the branch",
        json_schema_extra={"pattern": f"^{_HASH}$"},
    )
    path: ContainerPath = Field(
        default=".",
        description="The folder in the container. A relative path begins at the working directory",
    )
    if_exists: Literal["error", "skip"] = Field(
        default="error", description="What happens if the image already has files in that folder"
    )

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `..`, `..:/repo`, `https://host/path` and `git@host:path:/repo`."""
        if not isinstance(value, str):
            return value
        parts = value.split(":")
        is_url = len(parts) > 1 and ("@" in parts[0] or parts[1].startswith("//"))
        if is_url:
            port = parts[2:3] if len(parts) > 2 and re.match(r"\d+/", parts[2]) else []
            parts = [":".join([*parts[:2], *port]), *parts[2 + len(port) :]]
        if len(parts) > 2:
            rule = "an entry must be a folder or a URL, with a path after a colon if you want another one"
            raise problem(rule, "write `- https://host/path:/app`, or a map with url and path", found=HIDDEN)
        read = {"url" if is_url else "local_path": parts[0]}
        return {**read, "path": parts[1]} if len(parts) == 2 else read

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        local, url = given.get("local_path"), given.get("url")
        if local is not None and url is not None:
            yield "url", problem("local_path and url cannot stand together", "remove one of them", found=HIDDEN)
        if local is None and url is None:
            yield "url", problem("a repository needs local_path or url", "add `url: https://…`", found=NOTHING)
        for key in ("branch", "hash"):
            if local is not None and given.get(key) is not None:
                rule = f"`{key}` is for a url: a local clone is taken as it is, with the branch that is checked out"
                yield key, problem(rule, "remove it, or write url in place of local_path")

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        match = _URL.fullmatch(value or "")
        if match and match["scheme"] == "https" and match["login"] is not None:
            rule = "a URL must not contain a user or a token, because the machine's user data has it"
            raise problem(rule, "remove it, and run `pulumi config set --secret git_token …`", found=HIDDEN)
        if value is not None and https_url(value) is None:
            raise problem(_URL_RULE, "write it without a token, such as https://github.com/org/app", found=HIDDEN)
        return value

    @field_validator("branch")
    @classmethod
    def _is_a_branch(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(_BRANCH, value):
            raise problem("a branch must be a name that git accepts", "write a name such as main")
        return value

    @field_validator("hash")
    @classmethod
    def _is_a_hash(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(_HASH, value):
            raise problem("a hash must be the whole hash of a commit", "copy it from `git rev-parse HEAD`")
        return value

    @field_validator("if_exists", mode="before")
    @classmethod
    def _null_is_error(cls, value: object) -> object:
        return "error" if value is None else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


Files = tuple[FileMapping, ...]
Repositories = Annotated[tuple[Repository, ...], Field(max_length=1)]
"""dstack takes at most one."""
