"""Text that may turn out to be calls: what was read of it, and whether it is still believable."""

from __future__ import annotations

from collections.abc import Collection
from io import StringIO

from gateway_lambda.tools.forms import LONGEST_HEADER, Call, may_be_call, named_in_header, read_call
from gateway_lambda.tools.json_scanner import JsonScanner


class Candidate:
    """Calls from what announced them on: one object after another, perhaps in a list.

    `closer`: what ends them, or "". `announced`: an opener was there; without one, an object has to begin like a call.
    """

    def __init__(self, opener: str, closer: str, *, announced: bool) -> None:
        self.closer = closer
        self.in_list = False
        self.scanner = JsonScanner()
        self._announced = announced
        self._raw = StringIO()
        self._raw.write(opener)
        self._object = StringIO()
        self._believable = announced

    def add(self, text: str) -> None:
        """Text outside objects, which is content if this is no call."""
        self._raw.write(text)

    def taken(self) -> str:
        """All that was held back; from now on it is the caller's."""
        raw, self._raw = self._raw.getvalue(), StringIO()
        return raw

    def begin_object(self) -> None:
        """An object begins with the next character."""
        self.scanner = JsonScanner()
        self._object = StringIO()
        self._believable = self._announced

    def step(self, text: str, at: int) -> int:
        """Read on in the object; up to where, see `JsonScanner.step`."""
        end = self.scanner.step(text, at)
        self._raw.write(text[at:end])
        self._object.write(text[at:end])
        return end

    def verdict(self, names: Collection[str]) -> Call | bool:
        """After a step: a call, False for no call of these functions, True as long as it may become one.

        A call is told as soon as its arguments' opening bracket was read, which then is all of the arguments so far;
        or else when the object is complete. How an object begins is asked first, also of one that came as a whole.
        """
        scanner = self.scanner
        if scanner.failed:
            return False
        if not self._believable:
            said = may_be_call(self._object.getvalue())
            if said is False:
                return False
            self._believable = said is True
        if scanner.depth == 0:
            return read_call(self._object.getvalue(), names, announced=self._announced) or False
        if scanner.bracket != "{" or scanner.depth not in (2, 3) or self._object.tell() > LONGEST_HEADER:
            return True
        name = named_in_header(self._object.getvalue())
        if name is None:
            return True
        return Call(name, "{") if name in names else False
