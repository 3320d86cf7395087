"""The answers of gpt-oss: messages in channels, with a recipient for calls (docs/translation.md#reasoning).

`<|channel|>analysis<|message|>…<|end|>` is reasoning. `<|start|>assistant<|channel|>final<|message|>…` is content, and
so is `commentary` without a recipient. `… to=functions.f<|channel|>commentary json<|message|>{…}<|call|>` is a call,
whose recipient can also stand behind the channel. The marks are control tokens, but can come as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta, Reasoning
from gateway_lambda.generation.stops import Stops

_ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")
_MESSAGE = "<|message|>"
_MARKS = ("<|channel|>", _MESSAGE, "<|constrain|>", *_ENDS)
_STOPS = Stops(_MARKS)
_MARK = re.compile("|".join(map(re.escape, _MARKS)))
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_FUNCTION = re.compile(r"to=functions\.([a-zA-Z0-9_-]+)")
_LONGEST_HEADER = 256
"""Characters before a message. What is longer is content."""


class HarmonyParser:
    """The parser of one choice. `names`: the functions that can be called.

    `done`: no more of the text is needed. `calls`: how many calls have begun. `plain`: all that follows is content.
    `unwraps`: the content is a part of the text.
    """

    def __init__(
        self, names: Collection[str] = (), *, parallel: bool = True, new_id: Callable[[], str] | None = None
    ) -> None:
        self._names = names
        self._parallel = parallel
        self._new_id = new_id
        self._held = ""
        self._header = ""
        self._name = ""
        """The function of a call whose arguments have not begun."""
        self._body: Callable[[str], list[Delta]] | None = None
        """Reads the message that goes on. None: its header goes on."""
        self._said: set[type] = set()
        self._new_message = False
        self._final = False
        self.calls = 0
        self.done = False
        self.plain = False
        self.unwraps = False

    def feed(self, text: str) -> list[Delta]:
        """Return what is certain after `text`, the next piece."""
        text, self._held = self._held + text, ""
        deltas: list[Delta] = []
        at = 0
        for found in _MARK.finditer(text):
            deltas += self._text(text[at : found.start()])
            deltas += self._marked(found.group())
            at = found.end()
        kept = len(text) - _STOPS.unfinished(text[at:])
        self._held = text[kept:]
        return deltas + self._text(text[at:kept])

    def mark(self, token: str) -> list[Delta]:
        """Return what is certain after a control token."""
        if token not in _MARKS:
            return []
        held, self._held = self._held, ""
        deltas = self._text(held) + self._marked(token)
        self.plain = token == _MESSAGE and self._final and Content not in self._said
        return deltas

    def finish(self) -> list[Delta]:
        """Return what is certain because the text is over."""
        held, self._held = self._held, ""
        deltas = self._text(held)
        if self._body is None and not self.unwraps:
            deltas += self._content(_MARK.sub("", self._header))
        self._header = ""
        return deltas

    def _text(self, text: str) -> list[Delta]:
        if not text or self.done:
            return []
        if self._body is not None:
            return self._body(text)
        self._header += text
        begin = self._header.lstrip()
        may_be_header = any(each.startswith(begin[: len(each)]) for each in ("to=", "assistant", "<|"))
        if may_be_header and len(self._header) <= _LONGEST_HEADER:
            return []
        header, self._header = self._header, ""
        self._body = self._content
        return self._content(_MARK.sub("", header))

    def _marked(self, mark: str) -> list[Delta]:
        if self.done:
            return []
        if mark in _ENDS:
            self._end()
            return []
        if mark == "<|channel|>" and self._body is not None:
            self._end()
        if self._body is None and mark == _MESSAGE:
            return self._begin()
        if self._body is None:
            self._header += mark
        return []

    def _begin(self) -> list[Delta]:
        header, self._header = self._header, ""
        channel = _CHANNEL.search(header)
        function = _FUNCTION.search(header)
        self.unwraps = True
        self._new_message = True
        if function and function[1] in self._names and self._new_id is not None:
            self._name = function[1]
            self._body = self._before_arguments
        elif channel and channel[1] == "analysis":
            self._body = self._reasoning
        else:
            self._body = self._content
            self._final = channel is not None and channel[1] == "final"
        return []

    def _end(self) -> None:
        self.done = self._body == self._arguments and not self._parallel
        self._body = None
        self._header = ""
        self._final = False

    def _before_arguments(self, text: str) -> list[Delta]:
        text = text.lstrip()
        if not text:
            return []
        if text[0] != "{" or self._new_id is None:
            self._body = self._content
            return self._content(text)
        self._body = self._arguments
        self.calls += 1
        return [CallStart(self.calls - 1, self._new_id(), self._name), *self._arguments(text)]

    def _arguments(self, text: str) -> list[Delta]:
        return [CallArguments(self.calls - 1, text)]

    def _reasoning(self, text: str) -> list[Delta]:
        return [Reasoning(self._parted(text, Reasoning))]

    def _content(self, text: str) -> list[Delta]:
        return [Content(self._parted(text, Content))] if text else []

    def _parted(self, text: str, kind: type) -> str:
        """The text, after an empty line if it begins another message of its kind."""
        parted = f"\n\n{text}" if self._new_message and kind in self._said else text
        self._new_message = False
        self._said.add(kind)
        return parted
