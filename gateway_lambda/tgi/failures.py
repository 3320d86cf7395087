"""What TGI's failures mean to a client, as a status or as an event (docs/translation.md#errors)."""

from __future__ import annotations

import re

import msgspec

from gateway_lambda.errors import (
    GatewayError,
    RequestError,
    ServiceError,
    overloaded,
    timed_out,
    unavailable,
    unreachable,
)

_PREFIX = "Input validation error: "
_TOO_LONG = re.compile(
    r"must be <= (?P<total>\d+)\. Given: (?P<prompt>\d+) .inputs. tokens and (?P<new>\d+)"
    r"|must have less than (?P<input>\d+) tokens\. Given: (?P<given>\d+)"
)
_GRAMMAR = re.compile(r"cannot compile|not valid", re.IGNORECASE)
_LONGEST_MESSAGE = 2000
"""Characters of an upstream's text that are passed on."""


class Failure(msgspec.Struct):
    """TGI's error body, and its error event."""

    error: str = ""
    error_type: str = ""


def from_status(status: int, body: bytes, *, grammar: str | None = None) -> GatewayError:
    """Return the error for a status other than 200. `grammar`: the field that the request's grammar comes from."""
    try:
        failure = msgspec.json.decode(body, type=Failure)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        failure = Failure()
    if status in (401, 403, 404):
        return ServiceError(
            502,
            f"the run's replica answered {status}: the address or the key in the run's record is wrong",
            "upstream_misconfigured",
            another=True,
        )
    if status == 413:
        return RequestError(
            "the prompt is larger than the upstream allows; shorten it", "request_too_large", status=413
        )
    if status == 429:
        return overloaded(_said(failure, "the model is overloaded; try again shortly"))
    if 400 <= status < 500 and status != 424:
        return _refused(failure.error or body.decode("utf-8", "replace"), grammar=grammar)
    if failure.error_type:
        return from_event(failure, grammar=grammar)
    if status == 502:
        return unreachable("no replica of the run answered", another=False)
    if status == 503:
        return unavailable("no replica of this run is up; try again shortly")
    if status == 504:
        return timed_out("the upstream did not answer in time; set stream=true for long answers")
    if status == 424:
        return _generation_failed(failure)
    return ServiceError(500, f"the upstream answered {status}", "upstream_error")


def from_event(failure: Failure, *, grammar: str | None = None) -> GatewayError:
    """Return the error for `{"error": …, "error_type": …}`."""
    kind = failure.error_type
    if kind in ("validation", "template_error", "tool_error"):
        return _refused(failure.error, grammar=grammar)
    if kind == "overloaded":
        return overloaded(_said(failure, "the model is overloaded; try again shortly"))
    if kind in ("generation", "Generation"):
        return _generation_failed(failure)
    if kind in ("incomplete_generation", "incomplete_generation_stream"):
        return ServiceError(500, _said(failure, "the upstream ended the answer early"), "upstream_incomplete")
    if kind == "healthcheck":
        return unavailable(_said(failure, "the model is not up; try again shortly"))
    return ServiceError(500, _said(failure, "the upstream failed"), "upstream_error")


def _refused(text: str, *, grammar: str | None) -> RequestError:
    text = text.strip().removeprefix(_PREFIX)[:_LONGEST_MESSAGE]
    found = _TOO_LONG.search(text)
    if found:
        return RequestError(_context_message(found), "context_length_exceeded", param="messages")
    param = grammar if _GRAMMAR.search(text) else None
    return RequestError(text or "the upstream refused the request", "upstream_validation_error", param=param)


def _context_message(found: re.Match[str]) -> str:
    """Clients search for "maximum context length is"."""
    if found["total"]:
        prompt, new = int(found["prompt"]), int(found["new"])
        return (
            f"This model's maximum context length is {found['total']} tokens. However, you requested {prompt + new} "
            f"tokens ({prompt} in the messages, {new} in the completion). Shorten one of the two."
        )
    return (
        f"This model's maximum context length is {found['input']} tokens for the messages, which have "
        f"{found['given']} tokens. Shorten them."
    )


def _generation_failed(failure: Failure) -> ServiceError:
    return ServiceError(500, _said(failure, "the generation failed"), "generation_failed")


def _said(failure: Failure, otherwise: str) -> str:
    return failure.error[:_LONGEST_MESSAGE] or otherwise
