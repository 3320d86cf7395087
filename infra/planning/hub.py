"""Model repositories on the Hugging Face Hub (the Hub), through `huggingface_hub`.

Only the planner reads them, never the gateway. A repository is opened at one commit. The library caches its files by
commit, so each commit is fetched once. The token is the service's own: the login of the person who runs this is not
used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.utils import tqdm

from infra.configuration import Secret
from infra.planning.hub_asking import PAUSES, TIMEOUT, Hub, hub_of, sent_token
from infra.planning.hub_errors import FAILURES, Asked, explain
from infra.planning.repository import (
    HubOutOfReachError,
    OpenRepository,
    RepositoryFiles,
    is_folder,
    open_folder,
)

_COMMIT = re.compile(r"[0-9a-f]{40}")


def open_on_hub(
    environment: Mapping[str, str], *, timeout: float = TIMEOUT, pauses: Sequence[float] = PAUSES
) -> OpenRepository:
    """Return a function that opens repositories of the Hub, and folders of this machine if the name is a folder.

    Args:
        environment: the caller's environment. `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME` and `HF_HUB_OFFLINE` have the
            same meaning as for the library, which reads them only once, when it is imported.
        timeout: seconds to wait for an answer of the Hub.
        pauses: seconds before each further attempt.
    """
    cache = hub_cache(environment)
    hub = hub_of(environment, timeout=timeout, pauses=pauses)

    def open_repository(
        repo: str, revision: str | None, token: Secret | None, site: str | None = None
    ) -> RepositoryFiles:
        if is_folder(repo):
            return open_folder(repo, revision)
        return _Repository(repo, hub.at(site), cache, token).open(revision)

    return open_repository


def hub_cache(environment: Mapping[str, str]) -> Path:
    """Return the folder in which the library keeps files of the Hub."""
    home = environment.get("HF_HOME")
    return Path(environment.get("HF_HUB_CACHE") or (f"{home}/hub" if home else constants.HF_HUB_CACHE)).expanduser()


@dataclass(frozen=True)
class _Commit:
    repository: _Repository
    sha: str
    names: frozenset[str]

    def read(self, name: str) -> bytes:
        return self.repository.read(self.sha, name)


@dataclass(frozen=True)
class _Repository:
    """One repository of a Hub, and how to ask for it."""

    repo: str
    hub: Hub
    cache: Path
    token: Secret | None

    def open(self, revision: str | None) -> RepositoryFiles:
        token = sent_token(self.token, self.hub.site)

        def ask() -> RepositoryFiles:
            api = HfApi(endpoint=self.hub.site, token=token)
            info = api.model_info(self.repo, revision=revision, timeout=self.hub.timeout)
            names = frozenset(str(file.rfilename) for file in info.siblings or ())
            return _Commit(self, info.sha or revision or "main", names)

        try:
            return self.hub.ask(ask, self._asked(revision=revision))
        except HubOutOfReachError:
            cached = self._cached(revision)
            if cached is None:
                raise
            return cached

    def read(self, sha: str, name: str) -> bytes:
        """Return the content of one file, from the cache if it has it. The library itself tries again if that can
        help."""
        try:
            path = hf_hub_download(
                self.repo,
                name,
                revision=sha,
                endpoint=self.hub.site,
                token=sent_token(self.token, self.hub.site),
                cache_dir=self.cache,
                etag_timeout=self.hub.timeout,
                tqdm_class=_Silent,
            )
            return Path(path).read_bytes()
        except FAILURES as error:
            raise explain(error, self._asked(file=name)) from None

    def _asked(self, *, file: str | None = None, revision: str | None = None) -> Asked:
        return Asked(
            repo=self.repo,
            site=self.hub.site,
            cache=self.cache,
            timeout=self.hub.timeout,
            file=file,
            revision=revision,
            with_token=self.token is not None,
            purpose=f"the chat template of {self.repo}",
            correct="correct model.name, or set model.hub_repo to the repository that has the model's tokenizer",
            do_without="set model.chat_template and model.eos_token, so that the Hub is not needed",
        )

    def _cached(self, revision: str | None) -> RepositoryFiles | None:
        """Return the files of a pinned commit that an earlier plan fetched. A branch can have changed since then."""
        if revision is None or not _COMMIT.fullmatch(revision):
            return None
        folder = self.cache / f"models--{self.repo.replace('/', '--')}" / "snapshots" / revision
        if not folder.is_dir():
            return None
        names = frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return _Commit(self, revision, names)


class _Silent(tqdm):
    """A progress bar that draws nothing: these files are small, and a plan has its own progress messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})  # pyright: ignore[reportUnknownMemberType]
