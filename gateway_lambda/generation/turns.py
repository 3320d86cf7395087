"""Building the messages of a chat from a dialect that has other pieces: the calls of one turn come one by one.

Each message remembers the field that it comes from, so that errors can name it.
"""

from __future__ import annotations

from typing import Any

_LEADING = ("system", "developer")


class Turns:
    """The messages so far, in the form of chat completions."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.places: list[str] = []
        """For each message, the field that it comes from."""
        self._turn: dict[str, Any] | None = None
        """The assistant's turn that can go on."""

    def add(self, message: dict[str, Any], place: str) -> None:
        """Add a message. Texts of the system at the beginning become one message, as templates expect it."""
        self._turn = None
        if len(self.messages) == 1 and message["role"] in _LEADING and self.messages[0]["role"] in _LEADING:
            first, text = self.messages[0], message["content"]
            if isinstance(first["content"], str) and isinstance(text, str):
                first["content"] = f"{first['content']}\n\n{text}"
                return
        self.messages.append(message)
        self.places.append(place)

    def ask(self, content: str | list[dict[str, Any]], place: str) -> None:
        """Add a message of the user. It goes on with the last message, if that is the user's too."""
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != "user":
            self.add({"role": "user", "content": content}, place)
        elif isinstance(last["content"], str) and isinstance(content, str):
            last["content"] = f"{last['content']}\n{content}"
        else:
            last["content"] = [*_parts(last["content"]), *_parts(content)]

    def say(self, text: str, place: str) -> None:
        """Add text of the assistant to its turn. A text after calls begins another turn."""
        if self._turn is not None and "tool_calls" in self._turn:
            self._turn = None
        turn = self._assistant(place)
        said = turn["content"]
        turn["content"] = f"{said}\n{text}" if said else text

    def reason(self, text: str, place: str) -> None:
        """Add reasoning to the assistant's turn."""
        turn = self._assistant(place)
        before = turn.get("reasoning_content")
        turn["reasoning_content"] = f"{before}\n{text}" if before else text

    def call(self, identity: str, name: str, arguments: object, place: str) -> None:
        """Add a call of a tool to the assistant's turn. `arguments`: an object, or its JSON text."""
        turn = self._assistant(place)
        call = {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}
        turn.setdefault("tool_calls", []).append(call)

    def result(self, identity: str, content: object, place: str) -> None:
        """Add the result of a call."""
        self.add({"role": "tool", "tool_call_id": identity, "content": content}, place)

    def _assistant(self, place: str) -> dict[str, Any]:
        if self._turn is None:
            turn: dict[str, Any] = {"role": "assistant", "content": None}
            self.add(turn, place)
            self._turn = turn
        return self._turn


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
