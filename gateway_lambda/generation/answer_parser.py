"""What follows the text of one choice and tells its parts from each other."""

from __future__ import annotations

from typing import Any, Protocol

from gateway_lambda.generation.deltas import Delta


class AnswerParser(Protocol):
    """The parser of one choice: it gets the visible text in pieces and the control tokens, and gives deltas."""

    @property
    def done(self) -> bool:
        """No more of the text is needed: the choice can end here."""
        ...

    @property
    def calls(self) -> int:
        """How many calls have begun."""
        ...

    @property
    def plain(self) -> bool:
        """All that follows is content, and needs no parser."""
        ...

    @property
    def unwraps(self) -> bool:
        """Its content is a part of the text alone, also without calls."""
        ...

    def feed(self, text: str) -> list[Delta]:
        """Return what is certain after `text`, the next piece."""
        ...

    def mark(self, token: str) -> list[Delta]:
        """Return what is certain after a control token."""
        ...

    def finish(self) -> list[Delta]:
        """Return what is certain because the text is over."""
        ...


class OfferedTools(Protocol):
    """The tools of a request, read and checked (`tools/request.py`)."""

    @property
    def tools(self) -> list[dict[str, Any]] | None:
        """The variable of the template."""
        ...

    @property
    def syntax(self) -> str | None:
        """The call syntax to look for in the answer. None: all of the answer is content."""
        ...

    def parser(self) -> AnswerParser | None:
        """Return a new parser for one choice; None: all of its text is content."""
        ...

    def rule(self) -> str:
        """Return the text that tells a model of the tools and of the syntax."""
        ...
