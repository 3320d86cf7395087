"""The `response` object: what the request asked for, and what came of it (docs/translation.md#the-response-object)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway_lambda.errors import GatewayError
from gateway_lambda.responses.output_items import new_id, status_of
from gateway_lambda.responses.request import ResponseRequest

_REASON = {"reason": "max_output_tokens"}


class ResponseObject:
    """One response. Its states differ in status, output, usage and error."""

    def __init__(self, body: Mapping[str, Any], request: ResponseRequest, created: int) -> None:
        self._head: dict[str, Any] = {
            "id": new_id("resp_"),
            "object": "response",
            "created_at": created,
            "model": request.model.name,
            "background": False,
            "instructions": body.get("instructions"),
            "max_output_tokens": request.max_tokens,
            "max_tool_calls": body.get("max_tool_calls"),
            "metadata": body.get("metadata") or {},
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": None,
            "prompt_cache_key": body.get("prompt_cache_key"),
            "reasoning": {"effort": request.reasoning_effort, "summary": _summary(body)},
            "safety_identifier": body.get("safety_identifier"),
            "service_tier": "default",
            "store": False,
            "temperature": request.temperature,
            "text": {"format": {"type": "text"}, **(body.get("text") or {})},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_logprobs": request.top_logprobs,
            "top_p": request.top_p,
            "truncation": "disabled",
            "user": body.get("user"),
        }

    def in_progress(self) -> dict[str, Any]:
        """The response before its first item."""
        return self._state("in_progress", [], None)

    def ended(self, output: list[dict[str, Any]], prompt: int, completion: int, *, cut: bool) -> dict[str, Any]:
        """The whole response. `cut`: the token limit ended it."""
        usage = {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + completion,
        }
        found = self._state(status_of(cut), output, usage)
        return {**found, "incomplete_details": _REASON} if cut else found

    def failed(self, output: list[dict[str, Any]], error: GatewayError) -> dict[str, Any]:
        """The response whose stream fails."""
        return {**self._state("failed", output, None), "error": {"code": error.code, "message": error.message}}

    def _state(self, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        state = {"status": status, "error": None, "incomplete_details": None, "output": output, "usage": usage}
        return {**self._head, **state}


def _summary(body: Mapping[str, Any]) -> str | None:
    asked: dict[str, Any] = body.get("reasoning") or {}
    return asked.get("summary")
