"""How the Hub is asked: where it is, with which token, how long and how often."""

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
"""Seconds that the Hub has for an answer about a repository, and may be silent while it sends a file."""
PAUSES = (0.5, 1.5)
"""Seconds before the second and the third attempt, when one failed by no fault of the question."""

_TOKEN = re.compile(r"[!-~]+")
"""What a header can carry. Of another token the HTTP client would complain, and show it."""
_GRACE = 1.0
"""Seconds more, in which the library itself says why there is no answer."""
_TRUE = ("1", "ON", "YES", "TRUE")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A Hub, and how it is asked."""

    site: str
    offline: bool
    timeout: float = TIMEOUT
    pauses: Sequence[float] = PAUSES

    def at(self, site: str | None) -> Hub:
        """The Hub at another place; `None`: this one."""
        return self if site is None else replace(self, site=site)

    def ask(self, question: Callable[[], T], asked: Asked) -> T:
        """An answer, asked for again where that may help. Raises `HubError`, in the planner's words."""
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
    """The Hub of the caller's environment: its `HF_ENDPOINT` and `HF_HUB_OFFLINE` mean what they mean to the library,
    which itself reads them only once, when it is imported."""
    return Hub(
        site=(environment.get(SITE_VARIABLE) or constants.ENDPOINT).rstrip("/"),
        offline=environment.get("HF_HUB_OFFLINE", "").upper() in _TRUE,
        timeout=timeout,
        pauses=pauses,
    )


def _within(seconds: float, question: Callable[[], T]) -> T:
    """A whole answer in so many seconds; the library's own limit begins anew with every byte. Raises what the question
    raises, else ReadTimeout; a thread that is left behind holds up nothing."""
    answers: list[T] = []
    failures: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(question())
        except Exception as error:  # raised again where it can be caught
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
    """What a question is sent with; False: ask as nobody, even where this machine has a login. Raises `HubError`."""
    if token is None:
        return False
    if not _TOKEN.fullmatch(token.reveal()):
        raise HubError(
            "the service's Hub token is empty, or has a space, a line break or another character that no token has",
            f"copy it again from {site}/settings/tokens, with nothing around it",
        )
    return token.reveal()
