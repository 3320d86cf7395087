"""A frame: one form of calls, from what announces a call to what closes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from gateway_lambda.tools.syntaxes.header import Header

Functions = Mapping[str, Mapping[str, Any]]
"""The functions that can be called: the JSON schema of the parameters of each, by its name."""

LONGEST_HEADER = 512
"""Characters of a header, up to the bracket of the arguments. What is longer is content."""


class Call(msgspec.Struct, frozen=True):
    """A function's name and the JSON text of its arguments, which are an object."""

    name: str
    arguments: str


class Body(Protocol):
    """Text that is collected until it is complete, because it has to be converted."""

    @property
    def over(self) -> bool:
        """The text is complete."""
        ...

    def step(self, text: str, at: int) -> int:
        """Take more of `text` from `at`, and return where it stopped."""
        ...

    def calls(self, functions: Functions) -> list[Call]:
        """Return the calls of these functions; none if the text is something else."""
        ...


class Frame(msgspec.Struct, frozen=True):
    """One form of calls.

    `opener` announces it; "": it stands at the start of a line. `closers`: what is dropped behind a call, each at most
    once, in this order. `header` comes behind the opener. `body` makes what follows the header; without a body,
    JSON arguments follow; without a header, JSON objects that are calls. `repeats`: more calls, each with a header, can
    follow before the closers.
    """

    opener: str
    closers: tuple[str, ...] = ()
    header: Header | None = None
    body: Callable[[str, str], Body] | None = None
    """From the name of the function and the text of the header."""
    repeats: bool = False
    inner: frozenset[str] = frozenset()
    """Control tokens in the header or in the body."""
