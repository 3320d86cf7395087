"""Model repositories on the Hugging Face Hub, through `huggingface_hub`.

Only the planner reads them, never the gateway. A repository is opened at one commit; its files come out of the
library's own cache, which is by commit, so that the same commit is fetched once. The token is the service's own: a
login of whoever runs this is not used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, ModelInfo, constants, hf_hub_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import tqdm

from infra.configuration import Secret
from infra.planning.hub_errors import FAILURES, Asked, explain, may_heal
from infra.planning.repository import (
    HubError,
    HubOutOfReachError,
    OpenRepository,
    RepositoryFiles,
    is_folder,
    open_folder,
)

TIMEOUT = 10.0
"""Seconds that the Hub may be silent."""
PAUSES = (0.5, 1.5)
"""Seconds before the second and the third attempt, when one failed by no fault of the question."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKEN = re.compile(r"[!-~]+")
"""What a header can carry. Of another token the HTTP client would complain, and show it."""
_TRUE = ("1", "ON", "YES", "TRUE")


def open_on_hub(
    environment: Mapping[str, str], *, timeout: float = TIMEOUT, pauses: Sequence[float] = PAUSES
) -> OpenRepository:
    """Opens repositories of the Hub, and folders of this machine where a name means one.

    Args:
        environment: the caller's; `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME` and `HF_HUB_OFFLINE` of it mean what they
            mean to the library, which itself reads them only once, when it is imported.
        timeout: seconds that the Hub may be silent.
        pauses: seconds before each further attempt.
    """
    home = environment.get("HF_HOME")
    cache = environment.get("HF_HUB_CACHE") or (f"{home}/hub" if home else constants.HF_HUB_CACHE)
    site = (environment.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    offline = environment.get("HF_HUB_OFFLINE", "").upper() in _TRUE

    def open_repository(repo: str, revision: str | None, token: Secret | None) -> RepositoryFiles:
        if is_folder(repo):
            return open_folder(repo, revision)
        hub = _Hub(repo, site, Path(cache).expanduser(), offline, timeout, token)
        return hub.open(revision, tuple(pauses))

    return open_repository


@dataclass(frozen=True)
class _Commit:
    hub: _Hub
    sha: str
    names: frozenset[str]

    def read(self, name: str) -> bytes:
        return self.hub.read(self.sha, name)


@dataclass(frozen=True)
class _Hub:
    """One repository of the Hub, and how it is asked for."""

    repo: str
    site: str
    cache: Path
    offline: bool
    timeout: float
    token: Secret | None

    def open(self, revision: str | None, pauses: Sequence[float]) -> RepositoryFiles:
        if self.token is not None and not _TOKEN.fullmatch(self.token.reveal()):
            raise HubError(
                "the service's Hub token is empty, or has a space, a line break or another character that no token has",
                f"copy it again from {self.site}/settings/tokens, with nothing around it",
            )
        try:
            info = self._info(revision, pauses)
        except HubOutOfReachError:
            cached = self._cached(revision)
            if cached is None:
                raise
            return cached
        return _Commit(self, info.sha or revision or "main", frozenset(file.rfilename for file in info.siblings or ()))

    def read(self, sha: str, name: str) -> bytes:
        """One file, from the cache where it is there. The library asks again by itself where that may help."""
        try:
            path = hf_hub_download(
                self.repo,
                name,
                revision=sha,
                endpoint=self.site,
                token=self._token(),
                cache_dir=self.cache,
                etag_timeout=self.timeout,
                tqdm_class=_Silent,
            )
            return Path(path).read_bytes()
        except FAILURES as error:
            raise self._explained(error, file=name) from None

    def _info(self, revision: str | None, pauses: Sequence[float]) -> ModelInfo:
        if self.offline:
            raise self._explained(OfflineModeIsEnabled())
        try:
            api = HfApi(endpoint=self.site, token=self._token())
            return api.model_info(self.repo, revision=revision, timeout=self.timeout)
        except FAILURES as error:
            if not pauses or not may_heal(error):
                raise self._explained(error, revision=revision) from None
        time.sleep(pauses[0])
        return self._info(revision, pauses[1:])

    def _token(self) -> str | Literal[False]:
        """False: ask as nobody, even where this machine has a login."""
        return False if self.token is None else self.token.reveal()

    def _explained(self, error: Exception, *, file: str | None = None, revision: str | None = None) -> HubError:
        asked = Asked(
            repo=self.repo,
            site=self.site,
            cache=self.cache,
            timeout=self.timeout,
            file=file,
            revision=revision,
            with_token=self.token is not None,
        )
        return explain(error, asked)

    def _cached(self, revision: str | None) -> RepositoryFiles | None:
        """What an earlier plan fetched of a pinned commit; a branch may have moved on since."""
        if revision is None or not _COMMIT.fullmatch(revision):
            return None
        folder = self.cache / f"models--{self.repo.replace('/', '--')}" / "snapshots" / revision
        if not folder.is_dir():
            return None
        names = frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return _Commit(self, revision, names)


class _Silent(tqdm):
    """A progress bar that is not drawn: these files are small, and a plan has its own words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})  # pyright: ignore[reportUnknownMemberType]
