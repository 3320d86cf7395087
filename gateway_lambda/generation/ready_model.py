"""A model with what its requests need, prepared once."""

from __future__ import annotations

from gateway_lambda.generation.reasoning import ReasoningMarks, marks_in
from gateway_lambda.generation.stops import Stops
from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate


class ReadyModel:
    """A model of format tgi with what its requests need."""

    __slots__ = ("_reasoning", "_template", "ends", "record", "stop_strings", "stops")

    def __init__(self, record: Model) -> None:
        eos = [record.eos_token] if record.eos_token else []
        self.record = record
        self.stop_strings = eos if record.stop_strings is None else record.stop_strings
        self.ends = (*self.stop_strings, *eos)
        """Control tokens that end an answer."""
        self.stops = Stops(self.stop_strings, self.ends)
        """For requests without stops of their own."""
        self._template: ChatTemplate | None = None
        self._reasoning: ReasoningMarks | None = None

    @property
    def template(self) -> ChatTemplate:
        """Compiled at the first request. Raises `TemplateInvalid`."""
        if self._template is None:
            self._template = ChatTemplate(self.record)
            self._reasoning = marks_in(self._template.source)
        return self._template

    @property
    def reasoning(self) -> ReasoningMarks | None:
        """The marks of its reasoning; None for a model that does not reason. Raises `TemplateInvalid`."""
        return self._reasoning if self.template else None

    def stops_with(self, strings: list[str]) -> Stops:
        """The client's stops and the model's own."""
        return Stops((*strings, *self.stop_strings), self.ends) if strings else self.stops
