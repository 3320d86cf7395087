"""The keys of a service that choose dstack's own images: `python`, `nvcc`, `docker`, and the shell of the commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from infra.configuration.problem import NOTHING
from infra.configuration.section import problem

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
"""dstack's versions."""

_INSTEAD_OF_IMAGE: Mapping[str, str] = {
    "python": "`python` is a version for the base image, which runs only without `image`",
    "nvcc": "`nvcc` adds a CUDA compiler to the base image, which runs only without `image`",
    "docker": "`docker` has an image of its own, which runs only without `image`",
}


def image_conflicts(given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
    """Return the conflicts between `image`, the keys of dstack's own images, `commands` and `entrypoint`."""
    yield from source_conflicts(given)
    in_groups = given.get("groups") is not None or isinstance(given.get("replicas"), list)
    if given.get("image") is None and not given.get("commands") and not in_groups:
        rule = "without `image`, the base image runs, and it has nothing to run without `commands`"
        yield "commands", problem(rule, "add `commands:`, or `image: …`", found=NOTHING)


def source_conflicts(given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
    """Return the conflicts between `image`, the keys of dstack's own images, and `entrypoint`."""
    image, docker = given.get("image"), given.get("docker") is True
    asked = [key for key in _INSTEAD_OF_IMAGE if given.get(key) not in (None, False)]
    for key in asked:
        if image is not None:
            yield key, problem(_INSTEAD_OF_IMAGE[key], f"remove `{key}` or `image`")
        elif docker and key != "docker":
            rule = f"`{key}` is for the base image, and `docker: true` runs another image"
            yield key, problem(rule, f"remove `{key}` or `docker`")
    if given.get("python") is not None and given.get("entrypoint") is not None:
        rule = (
            "`python` makes a virtual environment for the commands of a shell, and an entrypoint runs without a shell"
        )
        yield "python", problem(rule, "remove `entrypoint`, and write its program into `commands`")
    if docker and given.get("entrypoint") is not None:
        rule = "`docker: true` starts docker before the commands of a shell, and an entrypoint runs without a shell"
        yield "docker", problem(rule, "remove `entrypoint`, and write its program into `commands`")
    if given.get("shell") is not None and given.get("entrypoint") is not None:
        rule = "`shell` is the shell of `commands`, and an entrypoint runs without a shell"
        yield "shell", problem(rule, "remove `shell` or `entrypoint`")
    if docker and given.get("privileged") is False:
        yield "privileged", problem("docker in a container needs a privileged container", "remove `privileged: false`")


def _read_python(value: object) -> object:
    """YAML reads 3.10 as the number 3.1."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    text = "3.10" if text == "3.1" else text
    if isinstance(text, str) and text not in PYTHONS:
        raise problem(f"the versions are {', '.join(PYTHONS)}", 'write a version such as `python: "3.12"`')
    return text


def _is_a_shell(value: str) -> str:
    if value not in ("sh", "bash") and not value.startswith("/"):
        raise problem("a shell must be sh, bash or an absolute path in the container", "write `shell: bash`")
    return value


_PYTHON_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "number"}, {"enum": list(PYTHONS)}]}

Python = Annotated[
    Literal["3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"],
    BeforeValidator(_read_python),
    WithJsonSchema(_PYTHON_SCHEMA),
]
Shell = Annotated[str, AfterValidator(_is_a_shell), Field(json_schema_extra={"pattern": "^(sh|bash|/.*)$"})]
