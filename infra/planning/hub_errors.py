"""The meaning of an exception of `huggingface_hub`, for the user who must act on it.

The texts of the exceptions are not used or chained: they are long, name no remedy, and can contain what was sent.
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
"""Every error that a question can raise, including a full disk and a page that is not an answer of the Hub."""

_TRANSIENT = (408, 429, 500, 502, 503, 504)
_TOO_OFTEN = 429
_USERINFO = re.compile(r"(?<=//)[^/@]*@")
"""A password in an address. Messages do not show it."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question to the Hub."""

    repo: str
    site: str
    cache: Path
    timeout: float
    file: str | None
    """`None`: the repository itself."""
    revision: str | None
    with_token: bool
    purpose: str
    """What the Hub is needed for: `the chat template of owner/name`."""
    correct: str
    """What to correct if the Hub does not have the repository."""
    do_without: str | None
    """How to deploy without the Hub; `None`: not possible."""


def may_heal(error: Exception) -> bool:
    """Whether the same question can succeed a moment later."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _TRANSIENT
    return isinstance(error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError)


def explain(error: Exception, asked: Asked) -> HubError:
    """Return an error of the library, one of `FAILURES`, as a rule and a remedy."""
    asked = replace(asked, site=_USERINFO.sub("", asked.site))
    cause = error.__cause__
    if not isinstance(error, HfHubHTTPError) and isinstance(cause, FAILURES):
        error = cause
    if isinstance(error, HFValidationError):
        return HubError(
            f"{asked.repo!r} is not a valid name of a repository on the Hub: a name is name or owner/name",
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
        return _out_of_reach(asked, "does not answer like the Hub")
    return HubError(
        f"{_named(asked)} cannot be stored in {asked.cache} ({type(error).__name__})",
        "make the folder writable, or set HF_HUB_CACHE to another folder",
    )


def _refusal(error: HfHubHTTPError, asked: Asked) -> HubError:
    """Return what an HTTP status means. 401 and 404 have several meanings; the token and a header tell which."""
    status, page = error.response.status_code, f"{asked.site}/{asked.repo}"
    if isinstance(error, GatedRepoError):
        return _gated(asked, status, page)
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{asked.repo} has no revision {asked.revision!r} (404)", f"choose one of {page}/commits")
    if status == 401 and not asked.with_token:
        return HubError(
            f"the Hub has no public repository {asked.repo} (401): the name is wrong, or the repository is private",
            f"{asked.correct}, or put a token into env as {_variables()}",
        )
    if status == 401:
        return HubError(
            "the Hub does not accept the service's token (401): it is expired, revoked or mistyped",
            f"create a new token at {asked.site}/settings/tokens and put it into env",
        )
    if isinstance(error, DisabledRepoError):
        return HubError(f"the Hub has disabled {asked.repo} ({status})", "use another model")
    if status == 403:
        return HubError(
            f"the service's Hub token is not allowed to read {asked.repo} (403)",
            f"allow it at {asked.site}/settings/tokens, or use a token of an account with access",
        )
    if status == 404:
        return HubError(
            f"the Hub has no {_named(asked)}, or the service's token has no access to it (404)",
            asked.correct,
        )
    if status == _TOO_OFTEN:
        account = "" if asked.with_token else f", or put a token into env as {_variables()}, which raises the limit"
        return _out_of_reach(asked, f"limits requests ({status})", f"try again in a few minutes{account}")
    return _out_of_reach(asked, f"answered {status}", "try again later")


def _gated(asked: Asked, status: int, page: str) -> HubError:
    if not asked.with_token:
        return HubError(
            f"{asked.repo} is gated ({status}), and the service has no Hub token",
            f"accept its conditions at {page} and put a token into env as {_variables()}",
        )
    return HubError(
        f"{asked.repo} is gated ({status}), and the account of the service's Hub token has no access to it",
        f"request access at {page} with that account, and try again when it is granted",
    )


def _out_of_reach(asked: Asked, what: str, remedy: str = "check the network and try again") -> HubError:
    return HubOutOfReachError(
        f"the Hub at {asked.site}, which is needed for {asked.purpose}, {what}", _or_without(remedy, asked)
    )


def _or_without(remedy: str, asked: Asked) -> str:
    return remedy if asked.do_without is None else f"{remedy}, or {asked.do_without}"


def _named(asked: Asked) -> str:
    return asked.repo if asked.file is None else f"{asked.file} of {asked.repo}"


def _variables() -> str:
    return " or ".join(TOKEN_VARIABLES)
