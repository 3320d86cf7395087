"""Models that have OpenAI's API themselves: requests pass through unchanged, and responses are copied.

Only the Authorization header and the address change, and what `asked_usage` says. An error in another form gets
OpenAI's form.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

import msgspec

from gateway_lambda.bounded_json import JsonRefused, TooMuchJson, decode_bounded
from gateway_lambda.errors import GatewayError, RequestError, ServiceError, timed_out
from gateway_lambda.generation.fields import mapping
from gateway_lambda.openai.asked_usage import asking_for_usage
from gateway_lambda.openai.passthrough_events import END_WITH_DONE, pass_events
from gateway_lambda.routing.proxy import EVENTS, pass_back, readable_kind, request_headers, response_headers
from gateway_lambda.routing.runs import Run
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.health import BUSY
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.reply import Reply

_BOUNDARY = re.compile(rb'boundary="?([^";,\s]+)', re.IGNORECASE)
_NAMED_MODEL = re.compile(rb'^content-disposition:[^\r\n]*[;\s]name="?model["\s;\r]', re.IGNORECASE | re.MULTILINE)
_MOST_PARTS = 100
_LONGEST_NAME = 1000
_LONGEST_MESSAGE = 2000
"""Characters of an upstream's text that are passed on."""
_OF_THE_REPLICA = frozenset((401, 429, 503))
"""Statuses for which another replica is asked: this one refuses the gateway's key, or is busy."""
_NOT_THERE = frozenset((404, 405, 424, 501, 505))
"""Statuses by which a replica says that it does not have the model or the route that every replica of a run has."""
_OF_ENCODED = (b"content-encoding", b"content-length")
_JSON = re.compile(rb"\s*application/([^\s;]+\+)?json\s*(;|$)", re.IGNORECASE)
_TRUNCATED = "Input data was truncated"
"""What the decoder says then, and only then."""
_EMBEDDINGS = b"/embeddings"
_MOST_HELD = 1024 * 1024
"""Bytes of an answer that wait for its end. More than an answer of a chat has; lists of embeddings can have it."""


class _Named(msgspec.Struct):
    """The part of a request that is read."""

    model: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


def named_model(exchange: Exchange, body: bytes) -> Any:
    """Return the `model` of a request in JSON or of a form, or None. Raises `RequestError`."""
    kind = exchange.header(b"content-type") or b""
    if kind.lower().startswith(b"multipart/"):
        return _model_of_form(kind, body)
    try:
        return _NAMED.decode(body).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_object(body).get("model")


def _model_of_form(kind: bytes, body: bytes) -> str | None:
    """The field `model` of a form whose content type is `kind`."""
    boundary = _BOUNDARY.search(kind)
    if boundary is None:
        return None
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary[1], _MOST_PARTS)
    for part in parts[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        if len(value) <= _LONGEST_NAME and _NAMED_MODEL.search(head + b"\r"):
            return value.decode("utf-8", "replace")
    return None


def decode_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`. Raises `RequestError`."""
    try:
        found = decode_bounded(body)
    except TooMuchJson as problem:
        raise RequestError(f"the body has {problem}", "invalid_value") from None
    except JsonRefused as problem:
        raise RequestError(f"the body is not JSON: {problem}", "invalid_json") from None
    return mapping(found, "body")


async def pass_to_model(
    exchange: Exchange, run: Run, path: bytes, body: bytes, upstream: Upstream, patience: float
) -> None:
    """Pass a request to the run's own OpenAI API, at `path` under the model's prefix.

    `patience`: seconds that the upstream may be silent. Raises `GatewayError`.
    """
    query: bytes = exchange.scope["query_string"]
    target = run.prefix + path + (b"?" + query if query else b"")
    headers = request_headers(exchange, b"", own=False, readable=True) + run.upstream_key
    asking = asking_for_usage(body) if exchange.counts_tokens and path in END_WITH_DONE else None

    async def ask(replica: Replica) -> Reply:
        reply = await upstream.send(replica, exchange.method.encode(), target, headers, asking or body)
        if reply.status in _OF_THE_REPLICA:
            raise await _failure(reply)
        return reply

    exchange.watch()
    try:
        async with asyncio.timeout(patience):
            reply = await upstream.on_a_replica(run.replicas, ask)
    except TimeoutError:
        raise timed_out("the upstream sent nothing for too long; set stream=true for long answers") from None
    try:
        reply.limit_silence(patience)
        if reply.status >= 400:
            if path in END_WITH_DONE and reply.status in _NOT_THERE:
                reply.fail()
            await _pass_error_back(exchange, reply)
        elif _JSON.match(reply.header(b"content-type") or b""):
            await _pass_json(exchange, reply, path)
        elif readable_kind(dict(reply.headers)) == EVENTS:
            await pass_events(exchange, reply, path, body, with_usage=asking is None)
        else:
            if path in END_WITH_DONE:
                reply.fail()
            await pass_back(exchange, reply)
    finally:
        reply.close()


async def _pass_json(exchange: Exchange, reply: Reply, path: bytes) -> None:
    """Pass on an answer in JSON. It arrives whole before its status is sent, so an answer that breaks off is an error.

    The pieces of lists of embeddings are neither joined nor read: these lists state their length, and have a megabyte.
    Other answers are joined, because their usage can be anywhere in them.
    """
    held: list[bytes] = []
    left = _MOST_HELD
    while left >= 0:
        piece = await reply.piece()
        left -= len(piece)
        if piece:
            held.append(piece)
        if reply.ended:
            break
    if path != _EMBEDDINGS or reply.header(b"content-length") is None:
        text = b"".join(held)
        held = [text] if text else []
        if reply.ended and text and _is_cut(text):
            reply.fail()
            raise ServiceError(500, "the upstream ended its answer in the middle of it", "upstream_incomplete")
        if path in END_WITH_DONE and b'"choices"' not in text:
            reply.fail()
    await pass_back(exchange, reply, held)


def _is_cut(text: bytes) -> bool:
    """Whether the text is only the beginning of JSON. Without a length, a broken connection looks like the end of an
    answer.

    Other faults of the text are ignored, because some servers write NaN.
    """
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return str(problem) == _TRUNCATED
    return False


async def _pass_error_back(exchange: Exchange, reply: Reply) -> None:
    found = await reply.error_body()
    if _shaped(found) is None:
        raise _error(reply, found)
    kept = response_headers(exchange, reply, dict(reply.headers))
    headers = [each for each in kept if each[0] not in _OF_ENCODED]
    await exchange.start_as(reply.status, [*headers, (b"content-length", b"%d" % len(found))])
    await exchange.finish(found)


async def _failure(reply: Reply) -> GatewayError:
    try:
        error = _error(reply, await reply.error_body())
        reply.fail_for(error)
        return error
    finally:
        reply.close()


def _error(reply: Reply, found: bytes) -> GatewayError:
    """Return the error for a response that is not an answer of OpenAI's API, or for a replica that is busy."""
    if reply.status == 401:
        return ServiceError(
            502,
            "the run's replica refuses the gateway's key; set the right key in the run's record",
            "upstream_misconfigured",
            another=True,
        )
    message = _message(found)[:_LONGEST_MESSAGE] or f"the upstream answered {reply.status}"
    wait = reply.header(b"retry-after") or b"1"
    if reply.status in BUSY:
        code = "model_overloaded" if reply.status == 429 else "service_unavailable"
        return ServiceError(reply.status, message, code, headers=((b"retry-after", wait),), another=True)
    if reply.status < 500:
        code = "not_found" if reply.status == 404 else "upstream_validation_error"
        return RequestError(message, code, status=reply.status)
    return ServiceError(reply.status, message, "upstream_error")


def _shaped(found: bytes) -> str | None:
    """Return the message of an error in OpenAI's shape."""
    error = _decoded(found).get("error")
    message = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None


def _message(found: bytes) -> str:
    """Return the message of an error, in any of the shapes that servers use."""
    shaped = _shaped(found)
    if shaped is not None:
        return shaped
    decoded = _decoded(found)
    for key in ("message", "detail", "error"):
        said = decoded.get(key)
        if said:
            return said if isinstance(said, str) else msgspec.json.encode(said).decode()
    text = found.decode("utf-8", "replace").strip()
    return "" if text[:1] in ("<", "{") else text


def _decoded(found: bytes) -> dict[str, Any]:
    try:
        decoded = decode_bounded(found)
    except JsonRefused:
        return {}
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}
