"""Events of OpenAI's Responses API: the fields that llama.cpp leaves out and clients read.

They are the number of each event, and the place of what it is about: of an item in the output, of a part in an item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_OF_A_PART = ("response.content_part.", "response.output_text.", "response.refusal.")
_MISSING: Mapping[str, Any] = {"output": [], "tools": [], "tool_choice": "auto", "parallel_tool_calls": True}
"""Fields of a response that begins, with the values of one that has nothing yet."""


class ResponseEvents:
    """Completes the events of one response, in their order. `model`: the name for answers."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._count = 0
        self._places: dict[str, int] = {}

    def complete(self, event: bytes) -> bytes:
        """Return an event with what is missing."""
        head, mark, data = event.partition(b"data: ")
        try:
            fields: dict[str, Any] = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return event
        kind = str(fields.get("type"))
        fields["sequence_number"] = self._count
        self._count += 1
        if "response" in fields:
            fields["response"] = {**_MISSING, "model": self._model, **fields["response"]}
        name = fields.get("item_id") or fields.get("item", {}).get("id")
        if name is not None:
            fields.setdefault("output_index", self._places.setdefault(str(name), len(self._places)))
        if kind.startswith(_OF_A_PART):
            fields.setdefault("content_index", 0)
        return head + mark + msgspec.json.encode(fields) + b"\n\n"
