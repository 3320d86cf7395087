"""What the Hub answers, each question asked once. An answer that is out of reach is left open, and the plan says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infra.planning import (
    ChatTemplate,
    HubOutOfReachError,
    ModelRepository,
    ResolveChatTemplate,
    Weigh,
    Weights,
    unresolved,
)


@dataclass(frozen=True, kw_only=True)
class Unresolved:
    """A model whose chat template could not be looked up."""

    why: str
    remedy: str


class Templates:
    """Chat templates, each looked up once: the program asks for the template that the plan has asked for."""

    def __init__(self, resolve: ResolveChatTemplate, stage: Callable[[str], None]) -> None:
        self._resolve = resolve
        self._stage = stage
        self._found: dict[tuple[str, str | None], ChatTemplate] = {}
        self._unresolved: list[Unresolved] = []

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        return tuple(self._unresolved)

    def __call__(self, wanted: ModelRepository) -> ChatTemplate:
        key = (wanted.repo, wanted.revision)
        if key not in self._found:
            self._stage(f"Asking the Hub for the chat template of {wanted.repo}")
            self._found[key] = self._look(wanted)
        return self._found[key]

    def _look(self, wanted: ModelRepository) -> ChatTemplate:
        try:
            return self._resolve(wanted)
        except HubOutOfReachError as error:
            self._unresolved.append(Unresolved(why=error.rule, remedy=error.remedy))
            return unresolved(wanted)


class Weighed:
    """Weights of models, each looked up once. A Hub that did not answer for a template is not asked for weights."""

    def __init__(self, weigh: Weigh, templates: Templates, stage: Callable[[str], None]) -> None:
        self._weigh = weigh
        self._templates = templates
        self._stage = stage
        self._found: dict[tuple[str, str | None, str | None], Weights | None] = {}

    def __call__(self, wanted: ModelRepository) -> Weights | None:
        key = (wanted.repo, wanted.revision, wanted.file)
        if key not in self._found:
            if self._templates.unresolved:
                return None
            self._stage(f"Asking the Hub how large {wanted.repo} is")
            self._found[key] = self._weigh(wanted)
        return self._found[key]
