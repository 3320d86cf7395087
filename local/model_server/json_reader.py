"""JSON read field by field with the rules, the order and the messages of TGI's reader (serde in axum).

A wrong body is told of by its first problem in reading order, with the path to it and its place in the text:
`parameters.max_new_tokens: invalid value: integer `-1`, expected u32 at line 1 column 47`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from local.model_server.json_text import KEY, JsonText, described

_DEPTH = 128
"""Nested arrays and objects that are read."""
T = TypeVar("T")
Read = Callable[["JsonReader"], T]


class JsonReader(JsonText):
    """A cursor in a body. Each method reads one value of one type, or raises `WrongBody`."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._depth = _DEPTH

    def string(self, expected: str = "a string") -> str:
        if self._peek() != b'"':
            self._mismatch(expected)
        return self._take_string()

    def word(self, expected: str) -> str:
        """One of a few words, which serde reads more strictly than other strings."""
        if self._peek() != b'"':
            self._bad_peek("expected value")
        return self.string(expected)

    def boolean(self) -> bool:
        first = self._peek()
        if first == b"t":
            self._word(b"true")
            return True
        if first == b"f":
            self._word(b"false")
            return False
        return self._mismatch("a boolean")

    def integer(self, kind: str, smallest: int, largest: int) -> int:
        """A whole number within the bounds of `kind`, written without a decimal point."""
        if self._peek() not in _NUMERIC:
            self._mismatch(kind)
        value = self._take_number()
        if isinstance(value, float):
            self._wrong(f"invalid type: {described(value)}, expected {kind}")
        if not smallest <= value <= largest:
            self._wrong(f"invalid value: integer `{value}`, expected {kind}")
        return value

    def number(self, kind: str) -> float:
        if self._peek() not in _NUMERIC:
            self._mismatch(kind)
        return float(self._take_number())

    def optional(self, read: Read[T]) -> T | None:
        """`null`, or what `read` reads."""
        if self._peek() == b"n":
            self._word(b"null")
            return None
        return read(self)

    def array(self, read: Read[T]) -> list[T]:
        if self._peek() != b"[":
            self._mismatch("a sequence")
        self._enter()
        values: list[T] = []
        while self._next_element(first=not values):
            values.append(self._within(len(values), read))
        self._leave()
        return values

    def struct(self, name: str, fields: Mapping[str, Read[Any]], *, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """An object whose known fields are read and whose unknown ones are passed over, as in TGI, or an array of the
        fields in order; the values that were given, by name."""
        first = self._peek()
        if first == b"[":
            return self._struct_in_order(name, fields, required)
        if first != b"{":
            self._mismatch(name)
        self._enter()
        values: dict[str, Any] = {}
        beginning = True
        while self._next_key(first=beginning):
            beginning = False
            field = self._take_key()
            if field in values:
                self._wrong(f"duplicate field `{field}`")
            self._colon()
            if field in fields:
                values[field] = self._within(field, fields[field])
            else:
                self._pass_over(field)
        self._leave()
        for field in required:
            if field not in values:
                self._wrong(f"missing field `{field}`")
        return values

    def anything(self) -> Any:
        """A value of any type."""
        first = self._peek()
        if first == b'"':
            return self._take_string()
        if first in _NUMERIC:
            return self._take_number()
        if first == b"n":
            return self._word(b"null")
        if first in (b"t", b"f"):
            return self.boolean()
        if first == b"[":
            return self.array(JsonReader.anything)
        if first == b"{":
            return self._object()
        return self._bad_peek("expected value")

    def wrong(self, message: str, *path: str) -> NoReturn:
        """Refuse what was just read, `path` below the current one."""
        self._path.extend(path)
        self._wrong(message)

    def _struct_in_order(self, name: str, fields: Mapping[str, Read[Any]], required: tuple[str, ...]) -> dict[str, Any]:
        self._enter()
        values: dict[str, Any] = {}
        for place, (field, read) in enumerate(fields.items()):
            if not self._next_element(first=not values):
                break
            values[field] = self._within(place, read)
        else:
            self._end_of_array()
        self._leave()
        if any(field not in values for field in required):
            self._wrong(f"invalid length {len(values)}, expected {name} with {len(fields)} elements")
        return values

    def _object(self) -> dict[str, Any]:
        self._enter()
        values: dict[str, Any] = {}
        beginning = True
        while self._next_key(first=beginning):
            beginning = False
            key = self._take_key()
            self._colon()
            values[key] = self._within(key, JsonReader.anything)
        self._leave()
        return values

    def _within(self, step: str | int, read: Read[T]) -> T:
        self._step_in(step)
        value = read(self)
        self._step_out()
        return value

    def _enter(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._bad_peek("recursion limit exceeded")
        self._at += 1

    def _leave(self) -> None:
        self._depth += 1
        self._at += 1

    def _next_element(self, *, first: bool) -> bool:
        peeked = self._peek(end="a list")
        if peeked == b"]":
            return False
        if first:
            return True
        if peeked != b",":
            self._bad_peek("expected `,` or `]`")
        self._at += 1
        if self._peek() == b"]":
            self._bad_peek("trailing comma")
        return True

    def _end_of_array(self) -> None:
        peeked = self._peek(end="a list")
        if peeked == b",":
            self._at += 1
            peeked = self._peek()
            self._bad_peek("trailing comma" if peeked == b"]" else "trailing characters")
        if peeked != b"]":
            self._bad_peek("trailing characters")

    def _next_key(self, *, first: bool) -> bool:
        self._step_in(KEY)
        peeked = self._peek(end="an object")
        if peeked == b"}":
            self._step_out()
            return False
        if not first:
            if peeked != b",":
                self._bad_peek("expected `,` or `}`")
            self._at += 1
            peeked = self._peek(end="an object" if self._passing else "a value")
            if peeked == b"}":
                self._bad_peek("trailing comma")
        if peeked != b'"':
            self._bad_peek("key must be a string")
        self._step_out()
        return True

    def _take_key(self) -> str:
        self._step_in(KEY)
        key = self._take_string()
        self._step_out()
        return key

    def _pass_over(self, field: str) -> None:
        """An unknown field's value, whose inside has no path in messages."""
        self._step_in(field)
        self._passing = True
        self.anything()
        self._passing = False
        self._step_out()

    def _colon(self) -> None:
        if self._peek(end="an object") != b":":
            self._bad_peek("expected `:`")
        self._at += 1

    def _mismatch(self, expected: str) -> NoReturn:
        """Refuse the value at the cursor, which is of another type."""
        first = self._peek()
        if first == b"[":
            found = "sequence"
        elif first == b"{":
            found = "map"
        else:
            found = described(self.anything())
        self._wrong(f"invalid type: {found}, expected {expected}")


_NUMERIC = frozenset(bytes([byte]) for byte in b"-0123456789")
