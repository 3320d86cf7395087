"""Model repositories as the planner sees them: named files at one commit, on the Hub or in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.configuration import Secret

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""The variables for a service's Hub token. The first that is set counts, as in TGI and huggingface_hub."""

SITE_VARIABLE = "HF_ENDPOINT"
"""The variable that makes huggingface_hub use another Hub than huggingface.co."""


class HubError(Exception):
    """A repository cannot be read. `rule` says why and `remedy` what to do. They never contain a token."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(rule, remedy)
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.rule}: {self.remedy}"


class HubOutOfReachError(HubError):
    """The Hub did not answer, or its answer was useless: nothing is known about the repository."""


class RepositoryFiles(Protocol):
    """The files of one repository at one commit."""

    @property
    def sha(self) -> str | None:
        """The commit; `None` for a folder."""
        ...

    @property
    def names(self) -> frozenset[str]:
        """The paths of its files, with `/`."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of one of `names`. Raises `HubError`."""
        ...


class OpenRepository(Protocol):
    """A function that opens a repository. `hub.open_on_hub` returns one that uses HTTP."""

    def __call__(
        self, repo: str, revision: str | None, token: Secret | None, site: str | None = None
    ) -> RepositoryFiles:
        """Open `repo` at a branch, tag or commit (`None`: `main`), on the Hub at `site` (`None`: the caller's Hub).

        Raises `HubError`.
        """
        ...


def own_site(environment: Mapping[str, str | Secret]) -> str | None:
    """Return the Hub of a service's own environment; `None`: it names no Hub, or a secret one. A variable without a
    value in the configuration is a secret, and has the caller's value."""
    site = environment.get(SITE_VARIABLE)
    return site.rstrip("/") if isinstance(site, str) and site else None


def is_folder(repo: str) -> bool:
    """Whether the name of a repository is a folder on this machine: it starts with `/`, `./`, `../` or `~`."""
    return repo.startswith(("/", "./", "../", "~")) or repo in (".", "..")


def open_folder(repo: str, revision: str | None) -> RepositoryFiles:
    """Return the files of a folder, relative to the working directory. Raises `HubError`."""
    if revision is not None:
        raise HubError(f"{repo} is a folder, which has no revisions", "remove model.revision")
    path = Path(repo).expanduser()
    if not path.is_dir():
        raise HubError(
            f"{repo} is not a folder on this machine", "name a folder that has the model's tokenizer_config.json"
        )
    files = [*path.glob("*"), *path.glob("additional_chat_templates/*")]
    return _Folder(path, frozenset(file.relative_to(path).as_posix() for file in files if file.is_file()))


@dataclass(frozen=True)
class _Folder:
    path: Path
    names: frozenset[str]
    sha: None = None

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise HubError(f"{self.path / name} cannot be read ({error.strerror})", "make it readable") from None
