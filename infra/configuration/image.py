"""Image names, in the grammar of github.com/distribution/reference that docker, podman and registries share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from infra.configuration.problem import HIDDEN
from infra.configuration.section import problem

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}"
_IMAGE_ID = r"[a-f0-9]{64}"
_LONGEST = 255
"""Characters of the host and the repository together."""

_EXAMPLE = "write an image such as nginx:1.27 or ghcr.io/org/server:v1"


def check_image(value: str) -> str:
    """Return the name. Raises `PydanticCustomError` with the rule that it breaks."""
    name, at, digest = value.partition("@")
    folder, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = f"{folder}{slash}{last}"
    if at and ("/" in digest or "." in digest):
        rule = "an image name must not contain a URL or credentials"
        raise problem(rule, "write [host/]repository[:tag], and write the credentials in registry_auth", found=HIDDEN)
    if at and not re.fullmatch(_DIGEST, digest):
        rule = "an image digest must be an algorithm and its lower-case hexadecimal digits: 64 digits after sha256:"
        raise problem(rule, "copy the digest from the container registry, or remove @ and the digest")
    if colon and not re.fullmatch(_TAG, tag):
        rule = "an image can have one tag of at most 128 letters, digits, _, . and -, which must not begin with . or -"
        raise problem(
            rule, _EXAMPLE if tag else f"write a tag after the colon, such as {last}:latest, or remove the colon"
        )
    host, path = _split(repository)
    if path != path.lower() and re.fullmatch(_REPOSITORY, path.lower()):
        written = "/".join(filter(None, (host, path.lower())))
        raise problem("an image's repository must be in lower case", f"write {written}{colon}{tag}")
    if (
        not re.fullmatch(_REPOSITORY, path)
        or not (host is None or re.fullmatch(_HOST, host))
        or len(repository) > _LONGEST
        or re.fullmatch(_IMAGE_ID, value)
    ):
        _, scheme, address = value.rpartition("://")
        rule = "an image must be a name that docker pull accepts: [host/]repository[:tag][@digest]"
        raise problem(rule, f"write {address}" if scheme else _EXAMPLE)
    return value


def _split(repository: str) -> tuple[str | None, str]:
    """Return (host, path). The part before the first / is the host if it can be one."""
    first, slash, rest = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return first, rest
    return None, repository


def _check_unless_filled_later(value: str) -> str:
    return value if "${{" in value else check_image(value)


Image = Annotated[str, Field(min_length=1), AfterValidator(_check_unless_filled_later)]
"""A whole name."""


def _has_a_version(value: str) -> str:
    check_image(f"{value}-base")
    if ":" not in value.rpartition("/")[2] or "@" in value:
        rule = "a base image must have a version as its tag, and no digest, because its tag gets an ending"
        raise problem(rule, "write a name and a version such as dstackai/base:0.16")
    return value


BaseImage = Annotated[str, Field(min_length=1), AfterValidator(_has_a_version)]
"""A name without the end of its tag."""
