"""What an exception of `huggingface_hub` means to the user who has to act on it.

None of its own texts is used or chained: they are long, name no remedy, and could hold what was sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
    XetDownloadError,
)

from infra.planning.repository import TOKEN_VARIABLES, HubError, HubOutOfReachError

FAILURES = (
    *(httpx2.HTTPError, httpx2.InvalidURL, EntryNotFoundError, XetDownloadError),
    *(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError),
)
"""Everything that a question can end with, a full disk and a page that is no answer of the Hub included."""

_TRANSIENT = (408, 429, 500, 502, 503, 504)
_TOO_OFTEN = 429
_USERINFO = re.compile(r"(?<=//)[^/@]*@")
"""A password in an address; it is not shown."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the Hub was asked for."""

    repo: str
    site: str
    cache: Path
    timeout: float
    file: str | None
    """`None`: the repository itself."""
    revision: str | None
    with_token: bool
    purpose: str
    """What for: `asked for the chat template of owner/name`."""
    correct: str
    """What to correct where the Hub has no such repository."""
    do_without: str | None
    """How to do without the Hub."""


def may_heal(error: Exception) -> bool:
    """Whether the same question may be answered a moment later."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _TRANSIENT
    return isinstance(error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError)


def explain(error: Exception, asked: Asked) -> HubError:
    """What the library raised, one of `FAILURES`, as a rule and a remedy."""
    asked = replace(asked, site=_USERINFO.sub("", asked.site))
    cause = error.__cause__
    if not isinstance(error, HfHubHTTPError) and isinstance(cause, FAILURES):
        error = cause
    if isinstance(error, HFValidationError):
        return HubError(
            f"{asked.repo!r} cannot be the name of a repository on the Hub, which is name or owner/name",
            asked.correct,
        )
    if isinstance(error, OfflineModeIsEnabled):
        return HubOutOfReachError(
            "the environment sets HF_HUB_OFFLINE, so the Hub is not asked", _or_without("unset it", asked)
        )
    if isinstance(error, httpx2.TimeoutException):
        return _out_of_reach(asked, f"did not answer within {asked.timeout:g} s")
    if isinstance(error, httpx2.TransportError | httpx2.InvalidURL):
        return _out_of_reach(asked, f"cannot be reached ({type(error).__name__})")
    if isinstance(error, HfHubHTTPError):
        return _refusal(error, asked)
    if not isinstance(error, OSError) or isinstance(error, FileMetadataError | EntryNotFoundError):
        return _out_of_reach(asked, "does not answer as the Hub does")
    return HubError(
        f"{_named(asked)} cannot be kept in {asked.cache} ({type(error).__name__})",
        "make the folder writable, or name another by HF_HUB_CACHE",
    )


def _refusal(error: HfHubHTTPError, asked: Asked) -> HubError:
    """What an HTTP status means; 401 and 404 stand for several things, told apart by the token and a header."""
    status, page = error.response.status_code, f"{asked.site}/{asked.repo}"
    if isinstance(error, GatedRepoError):
        return _gated(asked, status, page)
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{asked.repo} has no revision {asked.revision!r} (404)", f"choose one of {page}/commits")
    if status == 401 and not asked.with_token:
        return HubError(
            f"there is no {asked.repo} on the Hub that is open to everyone (401): it is misspelt, or private",
            f"{asked.correct}, or put a token into env as {_variables()}",
        )
    if status == 401:
        return HubError(
            "the Hub does not accept the service's token (401): it is expired, revoked or misspelt",
            f"make a new one at {asked.site}/settings/tokens and put it into env",
        )
    if isinstance(error, DisabledRepoError):
        return HubError(f"the Hub has disabled {asked.repo} ({status})", "use another model")
    if status == 403:
        return HubError(
            f"the service's Hub token may not read {asked.repo} (403)",
            f"allow it at {asked.site}/settings/tokens, or use a token of an account that may",
        )
    if status == 404:
        return HubError(
            f"there is no {_named(asked)} on the Hub, or the service's token may not see it (404)",
            asked.correct,
        )
    if status == _TOO_OFTEN:
        account = "" if asked.with_token else f", or put a token into env as {_variables()}: with one it answers more"
        return _out_of_reach(asked, f"was asked too often ({status})", f"try again in a few minutes{account}")
    return _out_of_reach(asked, f"answered {status}", "try again later")


def _gated(asked: Asked, status: int, page: str) -> HubError:
    if not asked.with_token:
        return HubError(
            f"{asked.repo} is gated ({status}), and the service has no Hub token",
            f"accept its conditions at {page} and put a token into env as {_variables()}",
        )
    return HubError(
        f"{asked.repo} is gated ({status}), and the account of the service's Hub token has no access to it",
        f"ask for access at {page} with that account, and try again once it is granted",
    )


def _out_of_reach(asked: Asked, what: str, remedy: str = "try again with the network up") -> HubError:
    return HubOutOfReachError(f"the Hub at {asked.site} {what}, {asked.purpose}", _or_without(remedy, asked))


def _or_without(remedy: str, asked: Asked) -> str:
    return remedy if asked.do_without is None else f"{remedy}, or {asked.do_without}"


def _named(asked: Asked) -> str:
    return asked.repo if asked.file is None else f"{asked.file} of {asked.repo}"


def _variables() -> str:
    return " or ".join(TOKEN_VARIABLES)
