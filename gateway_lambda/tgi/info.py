"""What a TGI says of itself: its version and limits (`/info`), and whether its tokenizer adds a BOS (`/tokenize`)."""

from __future__ import annotations

import hashlib
import logging

import msgspec

from gateway_lambda.bounded_json import JsonRefused, decode_bounded
from gateway_lambda.generation.capabilities import DEFAULT_MAX_STOP_SEQUENCES, Capabilities
from gateway_lambda.registry.record import Limits
from gateway_lambda.tgi.replies import Count

_LOG = logging.getLogger(__name__)

_LONGEST_PART = 9
"""Digits of one part of a version."""


class Info(msgspec.Struct, frozen=True):
    """The fields of `/info` that matter."""

    version: str | None = None
    model_sha: str | None = None
    docker_label: str | None = None
    max_stop_sequences: Count | None = None
    max_total_tokens: Count | None = None


def capabilities_of(info: Info, limits: Limits) -> Capabilities:
    """Return what `/info` says. Limits in the model's record override it."""
    stops, said_stops = limits.max_stop_sequences, info.max_stop_sequences
    total = limits.max_total_tokens
    return Capabilities(
        fingerprint=_fingerprint(info),
        version=_version(info.version),
        max_stop_sequences=stops
        if stops is not None
        else DEFAULT_MAX_STOP_SEQUENCES
        if said_stops is None
        else said_stops,
        max_total_tokens=info.max_total_tokens if total is None else total,
    )


def decode_info(body: bytes) -> Info | None:
    """Return the answer of `/info`; None if it is something else."""
    try:
        return msgspec.json.decode(body, type=Info)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        _LOG.warning("the gateway cannot use the answer of /info: %s", problem)
        return None


def adds_bos(tokens: bytes | None) -> bool | None:
    """Return whether the tokenizer put something before the text. Its first token then has no width.

    `tokens`: the answer of `/tokenize`, a list of `{id, text, start, stop}`. Returns None for any other answer.
    """
    try:
        first = decode_bounded(tokens or b"[]")[0]
        start, stop = first["start"], first["stop"]
    except (JsonRefused, LookupError, TypeError):
        return None
    return None if start is None or stop is None else start == stop


def _version(text: str | None) -> tuple[int, int, int] | None:
    """`3.3.6-dev0` is (3, 3, 6); what cannot be read counts as unknown."""
    parts = (text or "").partition("-")[0].partition("+")[0].split(".")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) <= _LONGEST_PART for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def _fingerprint(info: Info) -> str | None:
    said = (info.version, info.model_sha, info.docker_label)
    if not any(said):
        return None
    return "fp_" + hashlib.sha256(repr(said).encode()).hexdigest()[:10]
