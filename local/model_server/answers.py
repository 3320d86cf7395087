"""Answers in TGI's shapes (router/src/lib.rs), as JSON and as server-sent events."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from local.model_server.generation import Step
from local.model_server.spans import locate
from local.model_server.stopping import FinishReason
from local.model_server.vocabulary import Vocabulary

KEEP_ALIVE = b":\n\n"
"""A comment, which clients pass over."""
COMPUTE_TYPE = "cpu"
"""`x-compute-type`: TGI's says what kind of machine computes."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A finished generation."""

    text: str
    finish: FinishReason
    steps: tuple[Step, ...]
    prompt: tuple[int, ...]
    """Ids of the prompt's tokens."""
    scores: tuple[float | None, ...]
    """Their log-probabilities; empty when nobody asked."""
    seed: int | None
    """None when nothing was drawn."""
    queued: float
    started: float
    """When it came into the queue and out of it, on `time.perf_counter`'s clock."""

    @property
    def mean_logprob(self) -> float:
        """The mean log-probability, which decides which of several answers is the best."""
        known = [step.logprob for step in self.steps if step.logprob is not None]
        return sum(known) / len(known) if known else -math.inf


class Answers:
    """Writes answers; `vocabulary` gives the texts of tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def whole(
        self, answer: Answer, *, prompt: str, details: bool, top: bool, others: Sequence[Answer] | None
    ) -> dict[str, Any]:
        """`/generate`. `prompt` is put in front; `others` are the ones that `best_of` did not choose."""
        body: dict[str, Any] = {"generated_text": prompt + answer.text}
        if details:
            written = self._details(answer, top=top)
            if others is not None:
                sequences = [
                    {"generated_text": prompt + other.text, **self._details(other, top=top)} for other in others
                ]
                written = _put_before(written, "top_tokens", {"best_of_sequences": sequences})
            body["details"] = written
        return body

    def event(self, index: int, step: Step, *, top: bool) -> dict[str, Any]:
        """Return an event of `/generate_stream`, without values in its last two fields."""
        event: dict[str, Any] = {"index": index, "token": self._token(step)}
        if top and step.candidates:
            event["top_tokens"] = self._top_tokens(step)
        return event | {"generated_text": None, "details": None}

    def last_event(
        self, index: int, step: Step, answer: Answer, *, prompt: str, details: bool, top: bool
    ) -> dict[str, Any]:
        """Return the last event of `/generate_stream`."""
        about = {
            "finish_reason": answer.finish,
            "generated_tokens": len(answer.steps),
            "seed": answer.seed,
            "input_length": len(answer.prompt),
        }
        return self.event(index, step, top=top) | {
            "generated_text": prompt + answer.text,
            "details": about if details else None,
        }

    def tokens(self, text: str, ids: Sequence[int]) -> bytes:
        """Return the answer of `/tokenize`. It is written token by token, because 2 MB of text can be a million
        tokens."""
        data = text.encode()
        written = bytearray(b"[")
        for token, (start, stop) in zip(ids, locate(data, (self._vocabulary.pieces[one] for one in ids)), strict=True):
            fields = {"id": token, "text": data[start:stop].decode(errors="replace"), "start": start, "stop": stop}
            written += msgspec.json.encode(fields) + b","
        return bytes(written.removesuffix(b",") + b"]")

    def is_special(self, step: Step) -> bool:
        """Whether the token is not part of the text."""
        return step.token in self._vocabulary.special

    def chat_token(self, step: Step) -> dict[str, Any]:
        """Return an item of `logprobs.content` in `/v1/chat/completions`."""
        top = [{"token": one["text"], "logprob": one["logprob"]} for one in self._top_tokens(step)]
        return {"token": step.text, "logprob": shortest(step.logprob), "top_logprobs": top}

    def _details(self, answer: Answer, *, top: bool) -> dict[str, Any]:
        details: dict[str, Any] = {
            "finish_reason": answer.finish,
            "generated_tokens": len(answer.steps),
            "seed": answer.seed,
            "prefill": [
                {"id": token, "text": self._vocabulary.piece_text(token), "logprob": shortest(score)}
                for token, score in zip(answer.prompt, answer.scores, strict=False)
            ],
            "tokens": [self._token(step) for step in answer.steps],
        }
        if top:
            details["top_tokens"] = [self._top_tokens(step) for step in answer.steps]
        return details

    def _token(self, step: Step) -> dict[str, Any]:
        return {
            "id": step.token,
            "text": step.text,
            "logprob": shortest(step.logprob),
            "special": self.is_special(step),
        }

    def _top_tokens(self, step: Step) -> list[dict[str, Any]]:
        return [
            {
                "id": candidate.token,
                "text": self._vocabulary.piece_text(candidate.token),
                "logprob": shortest(candidate.logprob),
                "special": candidate.token in self._vocabulary.special,
            }
            for candidate in step.candidates
        ]


def write_event(event: dict[str, Any]) -> bytes:
    """Return a server-sent event."""
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def answer_headers(answer: Answer, began: float, characters: int) -> dict[str, str]:
    """Return TGI's headers: times in whole milliseconds, `x-compute-time` in seconds."""
    now = time.perf_counter()
    working = now - answer.started
    milliseconds = {
        "x-total-time": now - began,
        "x-validation-time": answer.queued - began,
        "x-queue-time": answer.started - answer.queued,
        "x-inference-time": working,
        "x-time-per-token": working / len(answer.steps),
    }
    return {
        "x-compute-type": COMPUTE_TYPE,
        "x-compute-time": f"{now - began:.9f}",
        "x-compute-characters": str(characters),
        **{name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()},
        "x-prompt-tokens": str(len(answer.prompt)),
        "x-generated-tokens": str(len(answer.steps)),
    }


def shortest(number: float | None) -> float | None:
    """Return the shortest decimal that is the same number in 32 bits, as TGI writes it; null: there is no number."""
    if number is None or not math.isfinite(number):
        return None
    wanted = struct.pack("<f", number)
    for digits in (6, 7, 8):
        short = float(f"{number:.{digits}g}")
        if struct.pack("<f", short) == wanted:
            return short
    return float(f"{number:.9g}")


def _put_before(fields: dict[str, Any], key: str, more: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in fields.items() if name != key}
    return kept | more | ({key: fields[key]} if key in fields else {})
