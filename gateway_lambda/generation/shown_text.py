"""The text of one choice, token by token, for streams and whole answers: what can be shown, and why it ended."""

from __future__ import annotations

from gateway_lambda.generation.choice import Finish
from gateway_lambda.generation.stops import Stops


class ShownText:
    """Follows the tokens of one generation.

    `finish` says why it ended, once it has. `stop` is the text of the stop that ended it. `tokens` counts the tokens,
    including the one that ended it. `limit` is the most tokens.
    """

    __slots__ = ("_held", "_limit", "_stops", "finish", "stop", "tokens")

    def __init__(self, stops: Stops, limit: int | None) -> None:
        self._stops = stops
        self._limit = limit
        self._held = ""
        self.tokens = 0
        self.finish: Finish | None = None
        self.stop: str | None = None

    def take(self, text: str, special: bool, end: Finish | None = None) -> str:
        """Return the text that can be shown after one more token. It is empty while it can still become a stop string.

        `special`: a control token, which shows nothing. `end`: why the server ended the text, with its
        last token.
        """
        self.tokens += 1
        if special:
            if text in self._stops.ends:
                return self._stop(self._held, text)
            shown = ""
        elif self._held or self._stops.may_begin_in(text):
            text = self._held + text
            at = self._stops.find(text)
            if at >= 0:
                return self._stop(text[:at], self._stops.starting_at(text, at))
            unfinished = self._stops.unfinished(text)
            shown = text[: len(text) - unfinished]
            self._held = text[len(shown) :]
        else:
            shown = text
        if end is not None:
            return shown + self._end(end)
        if self.tokens == self._limit:
            return shown + self._end("length")
        return shown

    def end_here(self) -> None:
        """End the answer, because its reader has all that it needs."""
        if self.finish is None:
            self._end("stop")

    def _end(self, finish: Finish) -> str:
        self.finish = finish
        held, self._held = self._held, ""
        return held

    def _stop(self, shown: str, stop: str) -> str:
        self._end("stop")
        self.stop = stop
        return shown
