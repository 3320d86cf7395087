"""Text that can turn out to be calls: what was read of it, and whether it can still be a call."""

from __future__ import annotations

from collections.abc import Collection
from io import StringIO

from gateway_lambda.tools.json_call import may_be_call, named_in_header, read_call
from gateway_lambda.tools.json_scanner import JsonScanner
from gateway_lambda.tools.syntaxes.frame import LONGEST_HEADER, Call


class Candidate:
    """Possible calls: one object after another, perhaps in a list.

    `opener` came before. `announced`: an opener did, perhaps as a control token; otherwise, an object must begin like a
    call.
    """

    def __init__(self, opener: str, *, announced: bool) -> None:
        self.in_list = False
        self.scanner = JsonScanner()
        self._announced = announced
        self._raw = StringIO()
        self._raw.write(opener)
        self._object = StringIO()
        self._believable = announced

    def add(self, text: str) -> None:
        """Add text outside objects, which becomes content if this is not a call."""
        self._raw.write(text)

    def taken(self) -> str:
        """Return all text that was held back, and forget it."""
        raw, self._raw = self._raw.getvalue(), StringIO()
        return raw

    def begin_object(self) -> None:
        """Begin an object with the next character."""
        self.scanner = JsonScanner()
        self._object = StringIO()
        self._believable = self._announced

    def step(self, text: str, at: int) -> int:
        """Read on in the object, and return where it stopped, as `JsonScanner.step` does."""
        end = self.scanner.step(text, at)
        self._raw.write(text[at:end])
        self._object.write(text[at:end])
        return end

    def verdict(self, names: Collection[str]) -> Call | bool:
        """Return, after a step, a call; or False if it is not a call of these functions; or True if it can become one.

        A call is known when the opening bracket of its arguments has come (this bracket is then all of its arguments),
        or when the object is complete. The beginning of an object is checked first, also of a complete one.
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
