"""The events of a streamed message (docs/translation.md#streams-of-anthropic).

A piece of text costs one encoded string: the rest of its event is encoded once for each block.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_lambda.anthropic.error_form import error_object
from gateway_lambda.anthropic.message import SIGNATURE, call_id, end_of, message_head, usage_of
from gateway_lambda.anthropic.request import MessagesRequest
from gateway_lambda.errors import GatewayError
from gateway_lambda.generation.choice import Finish
from gateway_lambda.generation.deltas import CallArguments, CallStart, Content, Delta, Reasoning
from gateway_lambda.generation.scores import Score

_encode = msgspec.json.Encoder().encode
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_NO_THOUGHT = {"thinking": "", "signature": ""}
_AFTER_TEXT = b"}}\n\n"


class MessageEvents:
    """Writes the events of one message. It has one choice."""

    done = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

    def __init__(self, request: MessagesRequest, request_id: bytes) -> None:
        self._request = request
        self._request_id = request_id
        self._index = -1
        """Of the newest block."""
        self._open: str | None = None
        """The type of the block that goes on."""
        self._before_text = b""
        self._end: dict[str, str | None] = {}

    def opening(self) -> bytes:
        """The message without blocks. The tokens of the prompt come with its end, when the server has counted them."""
        message = {**message_head(self._request), "usage": usage_of(0, 0)}
        return _event("message_start", {"message": message}) + _PING

    def text(self, index: int, text: str, scores: list[Score] | None = None) -> bytes:
        """A piece of the text. The API has no scores."""
        before = b"" if self._open == "text" else self._begin_text()
        return before + self._before_text + _encode(text) + _AFTER_TEXT

    def delta(self, index: int, delta: Delta, scores: list[Score] | None = None) -> bytes:
        """A piece of the thinking, of the text, or of a call."""
        match delta:
            case Content(text):
                return self.text(index, text)
            case Reasoning(text):
                before = b"" if self._open == "thinking" else self._begin({"type": "thinking", **_NO_THOUGHT})
                return before + self._part({"type": "thinking_delta", "thinking": text})
            case CallStart(_, identity, name):
                return self._begin({"type": "tool_use", "id": call_id(identity), "name": name, "input": {}})
            case CallArguments(_, text):
                return self._part({"type": "input_json_delta", "partial_json": text})

    def end(
        self,
        index: int,
        finish: Finish,
        scores: list[Score] | None = None,
        *,
        calls: bool = False,
        stop: str | None = None,
    ) -> bytes:
        """The end of the last block."""
        self._end = end_of(self._request, finish, stop, calls=calls)
        return self._close()

    def usage(self, prompt: int, completion: int) -> bytes:
        """Why the message ended, and its token counts."""
        return _event("message_delta", {"delta": self._end, "usage": usage_of(prompt, completion)})

    def error(self, error: GatewayError) -> bytes:
        """The end of a stream that fails."""
        found = {**error_object(error), "request_id": self._request_id.decode()}
        return b"event: error\ndata: " + _encode(found) + b"\n\n"

    def _begin_text(self) -> bytes:
        before = self._begin({"type": "text", "text": ""})
        start = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
        self._before_text = start % self._index + b'{"type":"text_delta","text":'
        return before

    def _begin(self, block: dict[str, Any]) -> bytes:
        before = self._close()
        self._index += 1
        self._open = block["type"]
        return before + _event("content_block_start", {"index": self._index, "content_block": block})

    def _part(self, part: dict[str, str]) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": part})

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        signed = b""
        if self._open == "thinking":
            signed = self._part({"type": "signature_delta", "signature": SIGNATURE})
        self._open = None
        return signed + _event("content_block_stop", {"index": self._index})


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encode({"type": name, **fields}) + b"\n\n"
