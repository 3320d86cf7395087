"""Reading the fields of a request by a table: one row for each field.

A row is a function that checks one value and writes it to the request. JSON null is the same as absent and reaches no
row. Fields without a row are ignored, unless they would change the answer or look like a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway_lambda.generation.other_fields import Spelling, cannot_be_served
from gateway_lambda.generation.request import GenerationRequest

_MOST_FIELDS = 200
"""Above that, unknown fields are ignored, so that their number costs nothing."""
Row = Callable[[Any, Any], None]


class OtherFields:
    """What a dialect knows of fields without a row.

    `known`: fields that are read elsewhere, or change nothing. `spelled`: names that a misspelled one can stand for.
    `others`: fields of other dialects, with the field that means the same here.
    """

    def __init__(self, known: Iterable[str], spelled: Iterable[str], others: Mapping[str, str] | None = None) -> None:
        self.known = frozenset(known)
        self._others = others or {}
        self._spelling = Spelling(spelled)

    def check(self, request: GenerationRequest, name: str, value: Any) -> None:
        """Refuse a field that would change the answer, or whose name looks like a mistake."""
        if cannot_be_served(name, value):
            request.unsupported(name, "the upstream does not have it; leave it out")
        elif name in self._others:
            request.unsupported(name, f"this route does not have it; use {self._others[name]}")
        elif (meant := self._spelling.meant(name)) == name:
            request.unsupported(name, "this route does not have it; leave it out")
        elif meant is not None:
            request.unsupported(name, f"there is no such field; use {meant}, or leave it out")


def read_fields(
    request: GenerationRequest, body: Mapping[str, Any], rows: Mapping[str, Row], others: OtherFields
) -> None:
    """Read every field of `body` that has a row. Raises `RequestError` at the first wrong field."""
    for name, value in body.items():
        if value is not None:
            row = rows.get(name)
            if row is not None:
                row(request, value)
            elif name not in others.known and len(body) <= _MOST_FIELDS:
                others.check(request, name, value)
