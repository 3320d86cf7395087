"""A model with what its requests need, prepared once."""

from __future__ import annotations

from gateway_lambda.generation.stops import Stops
from gateway_lambda.registry.record import Model
from gateway_lambda.templates import ChatTemplate


class ReadyModel:
    """A model of format tgi with what its requests need."""

    __slots__ = ("_template", "ends", "record", "stop_strings", "stops")

    def __init__(self, record: Model) -> None:
        eos = [record.eos_token] if record.eos_token else []
        self.record = record
        self.stop_strings = eos if record.stop_strings is None else record.stop_strings
        self.ends = (*self.stop_strings, *eos)
        """Control tokens that end an answer."""
        self.stops = Stops(self.stop_strings, self.ends)
        """For requests without stops of their own."""
        self._template: ChatTemplate | None = None

    @property
    def template(self) -> ChatTemplate:
        """Compiled at the first request. Raises `TemplateInvalid`."""
        if self._template is None:
            self._template = ChatTemplate(self.record)
        return self._template

    def stops_with(self, strings: list[str]) -> Stops:
        """The client's stops and the model's own."""
        return Stops((*strings, *self.stop_strings), self.ends) if strings else self.stops
