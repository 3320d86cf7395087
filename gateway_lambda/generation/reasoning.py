"""Telling a model's reasoning from its answer, while its text comes (docs/translation.md#reasoning).

The model's own chat template says how it marks its reasoning, and the end of the prompt says whether the reasoning has
begun. Reasoning comes first in an answer: marks that come later are content. White space around the marks is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway_lambda.generation.answer_parser import AnswerParser
from gateway_lambda.generation.deltas import Content, Delta, Reasoning
from gateway_lambda.generation.stops import Stops


class ReasoningMarks(msgspec.Struct, frozen=True):
    """The texts before and after reasoning. They can be control tokens."""

    opener: str
    closer: str


HARMONY = ReasoningMarks("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")
"""gpt-oss, whose answers `harmony` reads."""
_MARKS = (
    HARMONY,
    ReasoningMarks("<think>", "</think>"),
    ReasoningMarks("[THINK]", "[/THINK]"),
    ReasoningMarks("◁think▷", "◁/think▷"),
    ReasoningMarks("<seed:think>", "</seed:think>"),
    ReasoningMarks("<|inner_prefix|>", "<|inner_suffix|>"),
    ReasoningMarks("<|START_THINKING|>", "<|END_THINKING|>"),
)
"""gpt-oss; DeepSeek R1, Qwen, GLM, Granite, MiniMax, Nemotron; Mistral; Kimi VL; Seed-OSS; Apertus; Command A."""


class ReasoningStart(msgspec.Struct, frozen=True):
    """How the answers to one prompt begin. `begun`: the prompt has the opener."""

    marks: ReasoningMarks
    begun: bool


def marks_in(template: str) -> ReasoningMarks | None:
    """Return the marks that the text of a chat template has; None for a model that does not reason."""
    opened = [marks for marks in _MARKS if marks.opener in template]
    return next(iter(opened or [marks for marks in _MARKS if marks.closer in template]), None)


def reasoning_start(marks: ReasoningMarks, prompt: str, prefix: str = "") -> ReasoningStart | None:
    """Return how answers to `prompt` begin; None if the prompt ends behind the reasoning.

    `prefix`: the text of an answer at the end of the prompt, which the model continues.
    """
    if prefix.strip():
        begun = prefix.rfind(marks.opener) > prefix.rfind(marks.closer)
        return ReasoningStart(marks, begun=True) if begun else None
    end = prompt.rstrip()
    return None if end.endswith(marks.closer) else ReasoningStart(marks, begun=end.endswith(marks.opener))


class ReasoningParser:
    """The parser of one choice. It gives what follows the reasoning to `answer`, the parser of calls, if there is one.

    `plain`: all that follows is content, and needs no parser.
    """

    def __init__(self, start: ReasoningStart, answer: AnswerParser | None) -> None:
        self._marks = start.marks
        self._closer = Stops((start.marks.closer,))
        self._answer = answer
        self._state: Callable[[str], list[Delta]] = self._beginning
        self._held = ""
        """What may be the beginning of a mark, and white space before the first one."""
        self._space: list[str] = [""]
        """White space that is part of the reasoning if more of it follows."""
        self._reasons = start.begun
        self._said = False
        self.plain = False

    @property
    def done(self) -> bool:
        """No more of the text is needed."""
        return self._answer is not None and self._answer.done

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        return 0 if self._answer is None else self._answer.calls

    @property
    def unwraps(self) -> bool:
        """The content is a part of the text."""
        return self._reasons or (self._answer is not None and self._answer.unwraps)

    def feed(self, text: str) -> list[Delta]:
        """Return what is certain after `text`, the next piece."""
        return self._state(text) if text else []

    def mark(self, token: str) -> list[Delta]:
        """Return what is certain after a control token."""
        if token == self._marks.opener and self._state == self._beginning and not self._held.strip():
            self._begin()
            return []
        if token == self._marks.closer and self._reasons and self._state in (self._beginning, self._reasoning):
            return self._end("")
        if self._answer is None or self._state == self._reasoning:
            return []
        return self._answer.mark(token)

    def finish(self) -> list[Delta]:
        """Return what is certain because the text is over. Reasoning without an end stays reasoning."""
        held, self._held = self._held, ""
        deltas: list[Delta] = []
        if self._state == self._reasoning or (self._state == self._beginning and self._reasons):
            deltas = self._reason(held)
        elif held:
            deltas = self._content(held)
        return deltas if self._answer is None else deltas + self._answer.finish()

    def _beginning(self, text: str) -> list[Delta]:
        """Before anything else: the opener. Models repeat one that the prompt has."""
        text, self._held = self._held + text, ""
        begin = text.lstrip()
        opener = self._marks.opener
        if begin.startswith(opener):
            self._begin()
            return self.feed(begin[len(opener) :])
        if opener.startswith(begin):
            self._held = text
            return []
        if self._reasons:
            self._begin()
            return self.feed(text)
        return self._begin_content(text)

    def _begin(self) -> None:
        self._held = ""
        self._reasons = True
        self._state = self._reasoning

    def _reasoning(self, text: str) -> list[Delta]:
        text, self._held = self._held + text, ""
        at = self._closer.find(text)
        if at >= 0:
            return self._end(text[:at], text[at + len(self._marks.closer) :])
        kept = len(text) - self._closer.unfinished(text)
        self._held = text[kept:]
        return self._reason(text[:kept])

    def _reason(self, text: str) -> list[Delta]:
        kept = text.rstrip()
        if not kept:
            self._space.append(text)
            return []
        shown = "".join([*self._space, kept])
        self._space = [text[len(kept) :]]
        if not self._said:
            self._said = True
            shown = shown.lstrip()
        return [Reasoning(shown)]

    def _end(self, last: str, rest: str = "") -> list[Delta]:
        held, self._held = self._held, ""
        deltas = self._reason(held + last)
        self._state = self._before_content
        return deltas + self.feed(rest)

    def _before_content(self, text: str) -> list[Delta]:
        text = text.lstrip()
        return self._begin_content(text) if text else []

    def _begin_content(self, text: str) -> list[Delta]:
        self._state = self._content
        self.plain = self._answer is None
        return self._content(text)

    def _content(self, text: str) -> list[Delta]:
        return [Content(text)] if self._answer is None else self._answer.feed(text)
