"""What an exception of boto3 means: too many questions, wrong credentials, not allowed, or something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

Kind = Literal["passing", "credentials", "denied", "other"]
"""`passing`: the same question may be answered a moment later. `credentials`: none, expired or unknown."""

_PASSING = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "ResourceContention",
        "ResourceInUse",
        "ScalingActivityInProgress",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "Unavailable",
    }
)
_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "OptInRequired"}
)
_LONGEST = 300
_TAIL = re.compile(r"\s*(The Canonical String for this request|Encoded authorization failure message:?) .*", re.DOTALL)
"""What follows is the request, session token and all, or a text that only AWS can read."""
_USERINFO = re.compile(r"(?<=//)[^/@\s]*@")
"""A password in a proxy's address."""


def aws_failures() -> tuple[type[Exception], ...]:
    """Return every exception that a question to AWS can end with. It is a function, so that importing this module costs
    nothing. `ResponseParserError`, for an answer that AWS does not give, has no base class of botocore."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError


def error_code(error: Exception) -> str:
    """AWS's own code of an answer (`AccessDenied`), else the exception's name."""
    return str(_said(error).get("Code") or type(error).__name__)


def kind_of(error: Exception) -> Kind:
    """Return the kind of an exception."""
    from botocore.exceptions import ConnectionError as NotConnected
    from botocore.exceptions import HTTPClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, _nobody()):
        return "credentials"
    if isinstance(error, HTTPClientError | NotConnected | ResponseParserError):
        return "passing"
    code = error_code(error)
    if code in _PASSING or _status(error) >= 500:
        return "passing"
    if code in _CREDENTIALS:
        return "credentials"
    return "denied" if code in _DENIED else "other"


def has_ended(error: Exception) -> bool:
    """Whether nothing listens at an endpoint on this machine: what plays AWS there does not come back."""
    from botocore.exceptions import EndpointConnectionError

    if not isinstance(error, EndpointConnectionError):
        return False
    told: Mapping[str, Any] = getattr(error, "kwargs", {})
    host = urlsplit(str(told.get("endpoint_url", ""))).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def is_expired(error: Exception) -> bool:
    """Whether the credentials have expired."""
    return error_code(error) in _EXPIRED


def is_logged_out(error: Exception) -> bool:
    """Whether a login is missing or has ended: of `aws sso login`, or of `aws login`."""
    from botocore.exceptions import LoginError, NoAuthTokenError, SSOError, TokenRetrievalError

    return isinstance(error, LoginError | NoAuthTokenError | SSOError | TokenRetrievalError)


def in_words(error: Exception) -> str:
    """Return an exception in one line: AWS's code and message, without what boto3 adds."""
    from botocore.parsers import ResponseParserError

    if isinstance(error, ResponseParserError):  # its text has the whole answer
        return "the answer is not one that AWS gives, perhaps because a proxy answered instead"
    words = _TAIL.sub("", " ".join(str(_said(error).get("Message", error)).split()))
    words = _USERINFO.sub("", words)[:_LONGEST]
    code = error_code(error)
    return f"{code}: {words}" if words else code


def collected(
    page: Callable[..., Any],
    items: str,
    *,
    token: str = "NextToken",  # noqa: S107
    resume: str | None = None,
    **arguments: Any,
) -> Iterator[Any]:
    """Return every item of an operation that answers in pages.

    Args:
        page: the operation.
        items: where in an answer they are.
        token: where an answer says how to go on.
        resume: the argument by which to go on; `None`: it has the name of `token`.
        arguments: what is asked.
    """
    following: dict[str, Any] = {}
    while True:
        answer = page(**arguments, **following)
        yield from answer.get(items, [])
        if not answer.get(token):
            return
        following = {resume or token: answer[token]}


def _nobody() -> tuple[type[Exception], ...]:
    """Return what boto3 raises if the caller's own files and programs give it no credentials."""
    from botocore import exceptions as known

    return (
        known.ConfigNotFound,
        known.ConfigParseError,
        known.CredentialRetrievalError,
        known.InvalidConfigError,
        known.LoginError,
        known.MissingDependencyException,
        known.NoAuthTokenError,
        known.NoCredentialsError,
        known.PartialCredentialsError,
        known.ProfileNotFound,
        known.RefreshWithMFAUnsupportedError,
        known.SSOError,
        known.TokenRetrievalError,
    )


def _said(error: Exception) -> Mapping[str, Any]:
    """Return what AWS says about the error; empty: the error is not from AWS."""
    return _answer(error).get("Error", {})


def _status(error: Exception) -> int:
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answer(error: Exception) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = getattr(error, "response", None) or {}
    return answer


def answer_or(ask: Callable[[], T], nothing: T, action: str, unanswered: list[str]) -> T:
    """Return the answer. When AWS does not answer, add the reason to `unanswered` and return `nothing`.

    Raises boto3's error when the credentials are the reason.
    """
    try:
        return ask()
    except aws_failures() as error:
        if kind_of(error) == "credentials":
            raise
        unanswered.append(f"{action} ({in_words(error)})")
        return nothing
