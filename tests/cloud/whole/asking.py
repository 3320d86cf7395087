"""Callers that ask a service all the time, each with a thread of its own, and what they got."""

from __future__ import annotations

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import httpx

from tests.cloud.whole.running_cloud import FAR_TOO_LONG, RunningCloud

_LINES, _PAUSE = 12, 0.5
"""A stream takes 6 s: a replica that drains has 15 s, which is AWS's quarter of an hour."""
WHOLE = "whole"


class Callers:
    """Callers that ask again and again until the end of the block. `outcomes` counts what they got."""

    def __init__(
        self, cloud: RunningCloud, ask: Callable[[httpx.Client], str], *, count: int, pause: float = 0.0
    ) -> None:
        self._cloud, self._ask, self._pause = cloud, ask, pause
        self._ended, self._lock = threading.Event(), threading.Lock()
        self.outcomes: Counter[str] = Counter()
        self._begun = threading.Barrier(count + 1)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self._begun.wait(FAR_TOO_LONG)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(FAR_TOO_LONG)

    def _run(self) -> None:
        """The first answer counts as the beginning: until then a caller has no connection, and the function no
        instance for it."""
        with client(self._cloud.environment) as own:
            self._note(self._ask(own))
            self._begun.wait(FAR_TOO_LONG)
            while not self._ended.wait(self._pause):
                self._note(self._ask(own))

    def _note(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1


def client(environment: Mapping[str, str]) -> httpx.Client:
    """A client that reaches the cloud's names as its user does."""
    return httpx.Client(
        verify=ssl.create_default_context(cafile=environment["SSL_CERT_FILE"]),
        proxy=environment.get("HTTPS_PROXY"),
        trust_env=False,
        timeout=120,
    )


def stream(url: str, headers: Mapping[str, str] | None = None) -> Callable[[httpx.Client], str]:
    """Return how to ask for numbered lines: the outcome is `whole`, or what was wrong with them."""
    whole = [str(number) for number in range(1, _LINES + 1)]

    def ask(client: httpx.Client) -> str:
        lines: list[str] = []
        try:
            target = f"{url}/stream?lines={_LINES}&pause={_PAUSE}"
            with client.stream("GET", target, headers=headers) as answer:
                lines.extend(answer.iter_lines())
        except httpx.HTTPError as error:
            return f"{type(error).__name__} after {lines}: {error} at {time.strftime('%X')}"
        return WHOLE if answer.status_code == 200 and lines == whole else f"{answer.status_code} {lines}"

    return ask


def get(url: str, headers: Mapping[str, str] | None = None) -> Callable[[httpx.Client], str]:
    """Return how to ask for a page: the outcome is the status, and the body if that is not 200."""

    def ask(client: httpx.Client) -> str:
        try:
            answer = client.get(url, headers=headers)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error} at {time.strftime('%X')}"
        return "200" if answer.status_code == 200 else f"{answer.status_code} {answer.text} at {time.strftime('%X')}"

    return ask
