"""One choice's text, token by token: what may be shown, and why it ended. The same for streams and whole answers."""

from __future__ import annotations

import logging
from typing import Literal

from gateway_lambda.tgi.stops import Stops

_LOG = logging.getLogger(__name__)

Finish = Literal["stop", "length"]


class Answer:
    """Follows the tokens of one generation.

    `finish` is None until it ended. `tokens` counts those taken, the one that ended it included; `limit` is how many
    there may be.
    """

    __slots__ = ("_held", "_limit", "_stops", "finish", "tokens")

    def __init__(self, stops: Stops, limit: int | None) -> None:
        self._stops = stops
        self._limit = limit
        self._held = ""
        self.tokens = 0
        self.finish: Finish | None = None

    def take(self, text: str, special: bool, reason: str | None = None) -> str:
        """The text that may be shown after one more token; empty while it may still become a stop.

        `special`: a control token, which shows nothing. `reason`: TGI's, when this is its last token.
        """
        self.tokens += 1
        if special:
            if text in self._stops.ends:
                return self._stop(self._held)
            shown = ""
        elif self._held or self._stops.may_begin_in(text):
            text = self._held + text
            at = self._stops.find(text)
            if at >= 0:
                return self._stop(text[:at])
            unfinished = self._stops.unfinished(text)
            shown = text[: len(text) - unfinished]
            self._held = text[len(shown) :]
        else:
            shown = text
        if reason is not None:
            return shown + self._end(finish_of(reason))
        if self.tokens == self._limit:
            return shown + self._end("length")
        return shown

    def stop(self) -> None:
        """End it here: who reads the text has all that is wanted of it."""
        if self.finish is None:
            self._end("stop")

    def _end(self, finish: Finish) -> str:
        self.finish = finish
        held, self._held = self._held, ""
        return held

    def _stop(self, shown: str) -> str:
        self._end("stop")
        return shown


def finish_of(reason: str) -> Finish:
    """OpenAI's word for TGI's; an unknown one is logged and no error.

    An end marker that came as the last allowed token, which TGI calls `length`, never gets here.
    """
    if reason == "length":
        return "length"
    if reason not in ("eos_token", "stop_sequence"):
        _LOG.warning("TGI gave an unknown finish reason, and the gateway says stop: %.80s", reason)
    return "stop"
