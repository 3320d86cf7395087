"""The check with a long stream: it lasts longer than any limit on the way that has its default value."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, cast

import httpx
import openai

from commands.smoke.arrivals import Arrivals, Telling
from commands.smoke.chat import PATIENCE, SHORT, Chat
from commands.smoke.outcome import CheckFailed, CheckShort, CheckSkipped, Say
from commands.smoke.target import Target

LONG = 16384
"""The tokens to ask for, if the server does not say how many are allowed."""
ROOM = 128
"""Tokens left for the prompt."""
ENDLESS = "[0-9, ]*#END#"
"""A regular expression for TGI's grammars. A model that counts almost never writes its end, and cannot stop before
it."""

_COUNT = (
    "Count upwards from 1 in English words, one number on a line: one, two, three and so on. Never stop, never "
    "summarize, never abbreviate; count to one hundred thousand."
)
_COUNTING = "Counting upwards: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "


class LongStream:
    """A stream through the OpenAI API. If the model ends it, a stream of TGI's own API, which the model cannot end."""

    def __init__(self, target: Target, seconds: float, say: Say) -> None:
        self._target = target
        self._seconds = seconds
        self._say = say

    def lasts(self) -> str:
        """Check that the stream lasts as long as it should. Then close it."""
        if self._seconds == 0:
            raise CheckSkipped("--stream-seconds 0")
        if self._target.model is None or self._target.url is None:
            raise CheckSkipped("the service has no model" if self._target.url else "only a gateway is tested")
        limit = self._tgi_limit(self._target.url)
        notes: list[str] = []
        for how, stream in self._ways(self._target.url, limit):
            arrivals = self._followed(stream)
            if arrivals.seconds >= self._seconds:
                longest = max(arrivals.gaps(), default=0)
                return f"{how}: {arrivals.seconds:.0f} s, {len(arrivals.times)} chunks, longest silence {longest:.1f} s"
            if arrivals.finish is None:
                raise CheckFailed(f"{how}: broke off after {arrivals.seconds:.0f} s, {len(arrivals.times)} chunks")
            notes.append(
                f"{how}: ended by the model after {arrivals.seconds:.0f} of {self._seconds:.0f} s, "
                f"{len(arrivals.times)} chunks, finish_reason {arrivals.finish}"
            )
        raise CheckShort("; ".join(notes))

    def _ways(self, url: str, limit: int | None) -> Iterator[tuple[str, Generator[Arrivals]]]:
        """Yield the streams to try, one after the other."""
        chat = Chat(self._target)
        if limit is None:
            # Most other servers know this field too. One that does not know it refuses the request at once.
            try:
                stream = chat.stream(_COUNT, LONG, {"ignore_eos": True})
                first = next(stream)
                yield "OpenAI API, ignore_eos", _resumed(first, stream)
            except openai.BadRequestError:
                yield "OpenAI API", chat.stream(_COUNT, LONG)
            return
        yield "OpenAI API", chat.stream(_COUNT, max(SHORT, limit - ROOM))
        yield "/generate_stream", self._generate(url, max(SHORT, limit - ROOM))

    def _followed(self, stream: Generator[Arrivals]) -> Arrivals:
        telling = Telling(self._seconds, self._say)
        arrivals = Arrivals()
        with closing(stream):
            for arrivals in stream:
                telling.tell(arrivals)
                if arrivals.seconds >= self._seconds:
                    break
        return arrivals

    def _generate(self, url: str, tokens: int) -> Generator[Arrivals]:
        parameters = {"max_new_tokens": tokens, "details": True, "grammar": {"type": "regex", "value": ENDLESS}}
        body = {"inputs": _COUNTING, "parameters": parameters}
        arrivals = Arrivals()
        headers = self._target.headers
        with httpx.stream("POST", f"{url}/generate_stream", headers=headers, json=body, timeout=PATIENCE) as answer:
            if answer.status_code != 200:
                answer.read()
                raise CheckShort(f"the model ends its answers early, and /generate_stream is {answer.status_code}")
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    _note(arrivals, json.loads(line.removeprefix("data:")))
                    yield arrivals
        yield arrivals

    def _tgi_limit(self, url: str) -> int | None:
        """Return how many tokens a prompt and its answer can have together; `None`: the server is not TGI."""
        try:
            answer = httpx.get(f"{url}/info", headers=self._target.headers, timeout=30)
            return int(answer.raise_for_status().json()["max_total_tokens"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None


def _resumed(first: Arrivals, rest: Generator[Arrivals]) -> Generator[Arrivals]:
    yield first
    yield from rest


def _note(arrivals: Arrivals, event: object) -> None:
    """Note an event of TGI: a token, or the end."""
    given = cast(dict[str, Any], event) if isinstance(event, dict) else {}
    if "error" in given:
        raise CheckFailed(f"/generate_stream: {given['error']} after {arrivals.seconds:.0f} s")
    token: dict[str, Any] = given.get("token") or {}
    arrivals.note(str(token.get("text", "")))
    if given.get("generated_text") is not None:
        details: dict[str, Any] = given.get("details") or {}
        arrivals.finish = str(details.get("finish_reason"))
