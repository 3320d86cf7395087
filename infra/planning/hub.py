"""Model repositories on the Hugging Face Hub, through `huggingface_hub`.

Only the planner reads them, never the gateway. A repository is opened at one commit; its files come out of the
library's own cache, which is by commit, so that the same commit is fetched once. The token is the service's own: a
login of whoever runs this is not used. No exception of the library is shown or chained: its text is long, names no
remedy, and could hold what was sent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2
from huggingface_hub import HfApi, ModelInfo, constants, hf_hub_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)
from huggingface_hub.utils import tqdm

from infra.configuration import Secret
from infra.planning.repository import (
    TOKEN_VARIABLES,
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
_TRANSIENT = (408, 429, 500, 502, 503, 504)
_FAILURES = (HfHubHTTPError, httpx2.TransportError, EntryNotFoundError, HFValidationError, OSError)
"""Everything that a question to the Hub can end with, a full disk under the cache included."""


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
            return open_folder(repo)
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
        except _FAILURES as error:
            raise self._explained(error, f"{name} of ") from None

    def _info(self, revision: str | None, pauses: Sequence[float]) -> ModelInfo:
        if self.offline:
            raise self._explained(OfflineModeIsEnabled())
        try:
            api = HfApi(endpoint=self.site, token=self._token())
            return api.model_info(self.repo, revision=revision, timeout=self.timeout)
        except _FAILURES as error:
            if not pauses or not _may_heal(error):
                raise self._explained(error, revision=revision) from None
        time.sleep(pauses[0])
        return self._info(revision, pauses[1:])

    def _token(self) -> str | Literal[False]:
        """False: ask as nobody, even where this machine has a login."""
        return False if self.token is None else self.token.reveal()

    def _cached(self, revision: str | None) -> RepositoryFiles | None:
        """What an earlier plan fetched of a pinned commit; a branch may have moved on since."""
        if revision is None or not _COMMIT.fullmatch(revision):
            return None
        folder = self.cache / f"models--{self.repo.replace('/', '--')}" / "snapshots" / revision
        if not folder.is_dir():
            return None
        names = frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return _Commit(self, revision, names)

    def _explained(self, error: Exception, what: str = "", *, revision: str | None = None) -> HubError:
        """What the library raised, as a rule and a remedy."""
        cause = error.__cause__
        if not isinstance(error, HfHubHTTPError) and isinstance(cause, Exception) and isinstance(cause, _FAILURES):
            error = cause
        page = f"{self.site}/{self.repo}"
        if isinstance(error, HFValidationError):
            return HubError(
                f"{self.repo!r} cannot be the name of a repository on the Hub, which is name or owner/name",
                "set model.hub_repo to the repository that has the model's tokenizer, or to a folder (./name)",
            )
        if isinstance(error, OfflineModeIsEnabled):
            return HubOutOfReachError(
                "the environment sets HF_HUB_OFFLINE, so the Hub is not asked",
                "unset it, or set model.chat_template and model.eos_token",
            )
        if isinstance(error, httpx2.TimeoutException):
            return self._out_of_reach(f"did not answer within {self.timeout:g} s")
        if isinstance(error, httpx2.TransportError):
            return self._out_of_reach("cannot be reached")
        if isinstance(error, HfHubHTTPError):
            return self._refusal(error, what, page, revision)
        if isinstance(error, EntryNotFoundError):
            return self._out_of_reach(f"did not give {what}{self.repo}")
        return HubError(
            f"{what}{self.repo} cannot be kept in {self.cache} ({type(error).__name__})",
            "make the folder writable, or name another by HF_HUB_CACHE",
        )

    def _refusal(self, error: HfHubHTTPError, what: str, page: str, revision: str | None) -> HubError:
        """What an HTTP status means; 401 and 404 stand for several things, told apart by the token and a header."""
        status = error.response.status_code
        variables = " or ".join(TOKEN_VARIABLES)
        if isinstance(error, GatedRepoError):
            if self.token is None:
                return HubError(
                    f"{self.repo} is gated ({status}), and the service has no Hub token",
                    f"accept its conditions at {page} and put a token into env as {variables}",
                )
            return HubError(
                f"{self.repo} is gated ({status}), and the account of the service's Hub token has no access to it",
                f"ask for access at {page} with that account, and try again once it is granted",
            )
        if isinstance(error, RevisionNotFoundError):
            return HubError(f"{self.repo} has no revision {revision!r} (404)", f"choose one of {page}/commits")
        if status == 401 and self.token is None:
            return HubError(
                f"there is no {self.repo} on the Hub that is open to everyone (401): it is misspelt, or private",
                f"correct model.name or model.hub_repo, or put a token into env as {variables}",
            )
        if status == 401:
            return HubError(
                "the Hub does not accept the service's token (401): it is expired, revoked or misspelt",
                f"make a new one at {self.site}/settings/tokens and put it into env",
            )
        if status == 403:
            return HubError(
                f"the service's Hub token may not read {self.repo} (403)",
                f"allow it at {self.site}/settings/tokens, or use a token of an account that may",
            )
        if status == 404:
            return HubError(
                f"there is no {what}{self.repo} on the Hub, or the service's token may not see it (404)",
                "correct model.name, or set model.hub_repo to the repository that has the model's tokenizer",
            )
        return self._out_of_reach(f"answered {status}")

    def _out_of_reach(self, what: str) -> HubError:
        return HubOutOfReachError(
            f"the Hub at {self.site} {what}, asked for the chat template of {self.repo}",
            "try again with the network up, or set model.chat_template and model.eos_token, so that nothing is fetched",
        )


class _Silent(tqdm):
    """A progress bar that is not drawn: these files are small, and a plan has its own words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})  # pyright: ignore[reportUnknownMemberType]


def _may_heal(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _TRANSIENT
    return isinstance(error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError)
