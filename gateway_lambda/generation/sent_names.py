"""The names of fields as the client sent them, in the errors of parts that know only the form of chat completions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway_lambda.errors import RequestError

_MESSAGE = re.compile(r"\bmessages\[(\d+)\]")


class SentNames:
    """Renames fields in errors. `names`: pairs of a pattern of what an error says, and what the client sent.

    `places`: for each message of the chat, the field that it comes from.
    """

    def __init__(self, *names: tuple[str, str], places: Sequence[str] = ()) -> None:
        self._names = tuple((re.compile(pattern), sent) for pattern, sent in names)
        self._places = places

    def at(self, places: Sequence[str]) -> SentNames:
        """Return the same names for a chat whose messages come from these fields."""
        found = SentNames(places=places)
        found._names = self._names
        return found

    def error(self, error: RequestError) -> RequestError:
        """Return an error that says the same of the fields that the client sent."""
        param = error.param and self._sent(error.param)
        return RequestError(
            self._sent(error.message), error.code or "", status=error.status, param=param, headers=error.headers
        )

    def _sent(self, text: str) -> str:
        text = _MESSAGE.sub(self._place, text)
        for said, sent in self._names:
            text = said.sub(sent, text)
        return text

    def _place(self, found: re.Match[str]) -> str:
        index = int(found[1])
        return self._places[index] if index < len(self._places) else found[0]
