"""The events of a streamed response (docs/translation.md#streams-of-responses).

A piece of text costs one encoded string: the rest of its event is encoded once for each item.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_lambda.errors import GatewayError
from gateway_lambda.generation.choice import Finish
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta, Reasoning
from gateway_lambda.generation.scores import Score
from gateway_lambda.responses.open_items import Event, OpenCall, OpenItem, OpenMessage, OpenReasoning
from gateway_lambda.responses.output_items import status_of
from gateway_lambda.responses.response_object import ResponseObject
from gateway_lambda.responses.sent_tools import SentTools

_encode = msgspec.json.Encoder().encode
_TEXT = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":%d'


class ResponseEvents:
    """Writes the events of one response. It has one choice."""

    done = b""

    def __init__(self, response: ResponseObject, tools: SentTools, *, summarizes: bool) -> None:
        self._response = response
        self._tools = tools
        self._summarizes = summarizes
        self._number = 1
        """Of the newest event. The opening has 0 and 1, also if it is written after the first pieces of text."""
        self._output: list[dict[str, Any]] = []
        self._open: OpenItem | None = None
        self._middle = b""
        """What stands between the number of an event and its text, in the message that is open."""
        self._cut = False

    def opening(self) -> bytes:
        """The response, before its first item."""
        state = {"response": self._response.in_progress()}
        return _event("response.created", 0, state) + _event("response.in_progress", 1, state)

    def text(self, index: int, text: str, scores: list[Score] | None = None) -> bytes:
        """A piece of the text."""
        before = b""
        message = self._open
        if not isinstance(message, OpenMessage):
            before = self._close("completed")
            self._open = message = OpenMessage(len(self._output))
            before += self._events(message.opening())
            self._middle = b"," + _encode(message.place)[1:-1] + b',"delta":'
        if scores:
            return before + self._events([message.more(text, scores)])
        message.text.append(text)
        self._number += 1
        return before + _TEXT % self._number + self._middle + _encode(text) + b',"logprobs":[]}\n\n'

    def delta(self, index: int, delta: Delta, scores: list[Score] | None = None) -> bytes:
        """A piece of the reasoning, of the text, or of a call."""
        match delta:
            case Content(text):
                return self.text(index, text, scores)
            case Reasoning(text):
                return self._reason(text)
            case CallStart():
                before = self._close("completed")
                self._open = call = OpenCall(len(self._output), delta, self._tools)
                return before + self._events(call.opening())
            case CallArguments(_, text):
                return self._events(self._open.more(text)) if isinstance(self._open, OpenCall) else b""

    def end(
        self,
        index: int,
        finish: Finish,
        scores: list[Score] | None = None,
        *,
        calls: bool = False,
        stop: str | None = None,
    ) -> bytes:
        """The end of the last item. `scores`: those after the last text. The API does not name the `stop`."""
        self._cut = finish == "length"
        before = b""
        if self._open is None and not self._output:
            before = self.text(index, "")
        if scores and isinstance(self._open, OpenMessage):
            self._open.scores += scores
        return before + self._close(status_of(self._cut))

    def usage(self, prompt: int, completion: int) -> bytes:
        """The whole response."""
        name = "response.incomplete" if self._cut else "response.completed"
        return self._events(
            [(name, {"response": self._response.ended(self._output, prompt, completion, cut=self._cut)})]
        )

    def error(self, error: GatewayError) -> bytes:
        """The end of a stream that fails. Some clients read the first of the two events, others the second."""
        said = {"code": error.code, "message": error.message, "param": error.param}
        failed = self._response.failed(self._output, error)
        return self._events(
            [("error", {**said, "error": {"type": error.type, **said}}), ("response.failed", {"response": failed})]
        )

    def _reason(self, text: str) -> bytes:
        before = b""
        reasoning = self._open
        if not isinstance(reasoning, OpenReasoning):
            before = self._close("completed")
            self._open = reasoning = OpenReasoning(len(self._output), summarizes=self._summarizes)
            before += self._events(reasoning.opening())
        return before + self._events([reasoning.more(text)])

    def _close(self, status: str) -> bytes:
        if self._open is None:
            return b""
        events, item = self._open.closing(status)
        self._open = None
        self._output.append(item)
        return self._events(events)

    def _events(self, events: list[Event]) -> bytes:
        written: list[bytes] = []
        for name, fields in events:
            self._number += 1
            written.append(_event(name, self._number, fields))
        return b"".join(written)


def _event(name: str, number: int, fields: dict[str, Any]) -> bytes:
    data = _encode({"type": name, "sequence_number": number, **fields})
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
