"""How to ask the Hub: its address, the token, the timeout and the number of attempts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Thread
from typing import Literal, TypeVar

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

from infra.configuration import Secret
from infra.planning.hub_errors import FAILURES, Asked, explain, may_heal
from infra.planning.repository import SITE_VARIABLE, HubError

TIMEOUT = 10.0
"""Seconds that the Hub has for an answer about a repository, and between two parts of a file."""
PAUSES = (0.5, 1.5)
"""Seconds before the second and the third attempt, if another attempt can help."""

_TOKEN = re.compile(r"[!-~]+")
"""The characters that a header can have. For another token, the HTTP client would raise an error that shows it."""
_GRACE = 1.0
"""Additional seconds in which the library itself can report why there is no answer."""
_TRUE = ("1", "ON", "YES", "TRUE")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A Hub, and how to ask it."""

    site: str
    offline: bool
    timeout: float = TIMEOUT
    pauses: Sequence[float] = PAUSES

    def at(self, site: str | None) -> Hub:
        """Return the Hub at another address; `None`: this one."""
        return self if site is None else replace(self, site=site)

    def ask(self, question: Callable[[], T], asked: Asked) -> T:
        """Return an answer, after further attempts if they can help. Raises `HubError` when they all fail."""
        if self.offline:
            raise explain(OfflineModeIsEnabled(), asked)
        for pause in (*self.pauses, None):
            try:
                return _within(self.timeout, question)
            except FAILURES as error:
                if pause is None or not may_heal(error):
                    raise explain(error, asked) from None
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


def hub_of(environment: Mapping[str, str], *, timeout: float = TIMEOUT, pauses: Sequence[float] = PAUSES) -> Hub:
    """Return the Hub of the caller's environment. `HF_ENDPOINT` and `HF_HUB_OFFLINE` have the same meaning as for the
    library, which reads them only once, when it is imported."""
    return Hub(
        site=(environment.get(SITE_VARIABLE) or constants.ENDPOINT).rstrip("/"),
        offline=environment.get("HF_HUB_OFFLINE", "").upper() in _TRUE,
        timeout=timeout,
        pauses=pauses,
    )


def _within(seconds: float, question: Callable[[], T]) -> T:
    """Return the whole answer within `seconds`; the library's own limit starts again with every byte. Raises the error
    of the question, or ReadTimeout. A thread that is still waiting does not keep the program from ending."""
    answers: list[T] = []
    failures: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question())
        except Exception as error:  # raised again in the caller's thread
            failures.append(error)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds + _GRACE)
    if failures:
        raise failures[0]
    if not answers:
        raise httpx2.ReadTimeout("no whole answer in time")
    return answers[0]


def sent_token(token: Secret | None, site: str) -> str | Literal[False]:
    """Return the token for a question; False: ask without a token, even if this machine has a login.

    Raises `HubError` when the token has a character that a header cannot have.
    """
    if token is None:
        return False
    if not _TOKEN.fullmatch(token.reveal()):
        raise HubError(
            "the service's Hub token is empty, or has a space, a line break or another character that no token has",
            f"copy the token again from {site}/settings/tokens, without anything around it",
        )
    return token.reveal()
