"""The item that a stream writes at the moment: the events that open it, go on with it and close it.

An event is its name and its fields, without the sequence number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gateway_lambda.generation.choice import ToolCall
from gateway_lambda.generation.deltas import CallStart
from gateway_lambda.generation.scored_token import scored_token
from gateway_lambda.generation.scores import Score
from gateway_lambda.responses.output_items import (
    call_item,
    custom_input,
    message_item,
    new_id,
    reasoning_item,
    reasoning_part,
    text_part,
)
from gateway_lambda.responses.sent_tools import SentTool, SentTools

Event = tuple[str, dict[str, Any]]


class OpenItem(Protocol):
    """An item that goes on."""

    def opening(self) -> list[Event]:
        """The events with which it begins."""
        ...

    def closing(self, status: str) -> tuple[list[Event], dict[str, Any]]:
        """The events with which it ends, and the whole item."""
        ...


class OpenMessage:
    """A message whose text comes in pieces."""

    def __init__(self, index: int) -> None:
        self.place: dict[str, Any] = {"item_id": new_id("msg_"), "output_index": index, "content_index": 0}
        self.text: list[str] = []
        self.scores: list[Score] = []

    def opening(self) -> list[Event]:
        item: dict[str, Any] = {**message_item(self.place["item_id"], "", "in_progress"), "content": []}
        return [
            ("response.output_item.added", {"output_index": self.place["output_index"], "item": item}),
            ("response.content_part.added", {**self.place, "part": text_part("", ())}),
        ]

    def more(self, text: str, scores: Sequence[Score]) -> Event:
        """A piece of the text, with the scores of its tokens."""
        self.text.append(text)
        self.scores += scores
        logprobs = [scored_token(score) for score in scores]
        return "response.output_text.delta", {**self.place, "delta": text, "logprobs": logprobs}

    def closing(self, status: str) -> tuple[list[Event], dict[str, Any]]:
        text = "".join(self.text)
        item = message_item(self.place["item_id"], text, status, self.scores)
        part = item["content"][0]
        return [
            ("response.output_text.done", {**self.place, "text": text, "logprobs": part["logprobs"]}),
            ("response.content_part.done", {**self.place, "part": part}),
            ("response.output_item.done", {"output_index": self.place["output_index"], "item": item}),
        ], item


class OpenCall:
    """A call whose arguments come in pieces. The input of a custom tool is one piece, because it is inside of them."""

    def __init__(self, index: int, start: CallStart, tools: SentTools) -> None:
        self._place: dict[str, Any] = {"item_id": new_id("fc_"), "output_index": index}
        self._start = start
        self._tools = tools
        self._sent = tools.get(start.name, SentTool(start.name))
        self._arguments: list[str] = []

    def opening(self) -> list[Event]:
        item = self._item("", "in_progress")
        return [("response.output_item.added", {"output_index": self._place["output_index"], "item": item})]

    def more(self, text: str) -> list[Event]:
        """A piece of the arguments."""
        self._arguments.append(text)
        if self._sent.custom:
            return []
        return [("response.function_call_arguments.delta", {**self._place, "delta": text})]

    def closing(self, status: str) -> tuple[list[Event], dict[str, Any]]:
        arguments = "".join(self._arguments)
        item = self._item(arguments, status)
        events: list[Event]
        if self._sent.custom:
            text = custom_input(arguments)
            events = [
                ("response.custom_tool_call_input.delta", {**self._place, "delta": text}),
                ("response.custom_tool_call_input.done", {**self._place, "input": text}),
            ]
        else:
            done = {**self._place, "arguments": arguments, "name": self._sent.name}
            events = [("response.function_call_arguments.done", done)]
        index = self._place["output_index"]
        return [*events, ("response.output_item.done", {"output_index": index, "item": item})], item

    def _item(self, arguments: str, status: str) -> dict[str, Any]:
        call = ToolCall(self._start.id, self._start.name, arguments)
        return call_item(self._place["item_id"], call, status, self._tools)


class OpenReasoning:
    """Reasoning that comes in pieces, as text or as a summary."""

    def __init__(self, index: int, *, summarizes: bool) -> None:
        self._index = index
        self._id = new_id("rs_")
        self._summarizes = summarizes
        self._name = "response.reasoning_summary_text" if summarizes else "response.reasoning_text"
        number = "summary_index" if summarizes else "content_index"
        self._place: dict[str, Any] = {"item_id": self._id, "output_index": index, number: 0}
        self._text: list[str] = []

    def opening(self) -> list[Event]:
        item: dict[str, Any] = {**reasoning_item(self._id, "", summarizes=True), "summary": []}
        events: list[Event] = [("response.output_item.added", {"output_index": self._index, "item": item})]
        return events + self._part("added", "")

    def more(self, text: str) -> Event:
        """A piece of the reasoning."""
        self._text.append(text)
        return f"{self._name}.delta", {**self._place, "delta": text}

    def closing(self, status: str) -> tuple[list[Event], dict[str, Any]]:
        text = "".join(self._text)
        item = reasoning_item(self._id, text, summarizes=self._summarizes)
        return [
            (f"{self._name}.done", {**self._place, "text": text}),
            *self._part("done", text),
            ("response.output_item.done", {"output_index": self._index, "item": item}),
        ], item

    def _part(self, what: str, text: str) -> list[Event]:
        name = f"response.reasoning_summary_part.{what}" if self._summarizes else f"response.content_part.{what}"
        return [(name, {**self._place, "part": reasoning_part(text, summarizes=self._summarizes)})]
