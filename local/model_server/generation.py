"""An answer, one token after the other, and the log-probabilities of a prompt.

Each token is a request to llama.cpp, which computes only that token, because the earlier ones are still in its slot.
This is a fifth slower than a stream of llama.cpp, and gives what such a stream cannot give:

- the id and the log-probability of every token (a stream drops them for tokens that end within a character);
- an end within one token after the client leaves;
- a random number that depends only on seed and position.

A grammar runs as a stream, because its state cannot be passed on.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from local.model_server.grammar import MARK, Guide
from local.model_server.llama import Llama, LlamaError
from local.model_server.sampling import Sampling, llama_parameters, step_seed
from local.model_server.stopping import FinishReason, Stopping
from local.model_server.vocabulary import GrowingText, Vocabulary

_NEEDED = ["tokens", "completion_probabilities", "stop_type"]
_FORCE = 1e5
"""A bias on a token's logit that decides for it. Reported log-probabilities are of the logits without biases."""
_LIKELY = 256
"""How many of the likeliest tokens are asked for when a token's log-probability is looked up."""
_LIFT, _LEAD = 100.0, 40.0
"""Biases on logits: far above any logit without one, and enough to decide between any two tokens."""


@dataclass(frozen=True)
class Candidate:
    """A possible token, with its log-probability."""

    token: int
    logprob: float


@dataclass(frozen=True)
class Step:
    """A token of an answer."""

    token: int
    text: str
    """What became readable with it."""
    logprob: float | None
    """None where llama.cpp gives none."""
    candidates: tuple[Candidate, ...]
    """The likeliest tokens at its place, the likeliest first; the token itself need not be among them."""
    finish: FinishReason | None
    """Not None for the last one."""


@dataclass(frozen=True)
class _Choice:
    token: int
    logprob: float | None
    candidates: tuple[Candidate, ...]
    end_of_sequence: bool


class Generator:
    """Answers of one model. `place` is always one of llama.cpp's slots that the caller holds."""

    def __init__(self, llama: Llama, vocabulary: Vocabulary) -> None:
        self._llama = llama
        self._vocabulary = vocabulary

    async def generate(
        self, place: int, tokens: list[int], sampling: Sampling, *, stopping: Stopping, top: int, guide: Guide | None
    ) -> AsyncGenerator[Step, None]:
        """Continue the prompt `tokens`, to which each new token is added, until `stopping` or the model ends it.

        `top` is how many candidates each step carries.

        Raises:
            LlamaError: llama.cpp failed.
            ValidationError: it does not understand the grammar.
        """
        text = GrowingText(self._vocabulary)
        choices = (
            self._choose(place, tokens, sampling, top)
            if guide is None
            else self._choose_within(place, tokens, sampling, top, guide)
        )
        async with aclosing(choices):
            async for choice in choices:
                added = text.add(choice.token)
                finish = stopping.look(added, end_of_sequence=choice.end_of_sequence)
                yield Step(choice.token, added, choice.logprob, choice.candidates, finish)
                if finish is not None:
                    return

    async def score(self, place: int, tokens: Sequence[int]) -> list[float | None]:
        """Return the log-probability of each token of a prompt after the tokens before it; None for the first."""
        scores: list[float | None] = [None]
        for end in range(1, len(tokens)):
            request = self._request(place, tokens[:end], 1) | {
                **_GREEDY,
                "logit_bias": [[tokens[end], _FORCE]],
            }
            reported = (await self._llama.complete(request)).get("completion_probabilities")
            if reported:
                scores.append(reported[0]["logprob"])
            else:
                scores.append((await self._look_up(place, tokens[:end], tokens[end], 0))[0])
        return scores

    async def _choose(
        self, place: int, tokens: list[int], sampling: Sampling, top: int
    ) -> AsyncGenerator[_Choice, None]:
        parameters = llama_parameters(sampling)
        step = 0
        while True:
            request = self._request(place, tokens, top) | {**parameters, "seed": step_seed(sampling.seed, step)}
            answer = await self._llama.complete(request)
            if not answer["tokens"]:
                raise LlamaError("llama.cpp gave no token")
            token: int = answer["tokens"][0]
            reported = answer.get("completion_probabilities")
            if reported:
                logprob, candidates = reported[0]["logprob"], _candidates(reported[0], top)
            else:
                logprob, candidates = await self._look_up(place, tokens, token, top)
            tokens.append(token)
            yield _Choice(token, logprob, candidates, answer["stop_type"] == "eos")
            step += 1

    async def _choose_within(
        self, place: int, tokens: list[int], sampling: Sampling, top: int, guide: Guide
    ) -> AsyncGenerator[_Choice, None]:
        if not await self._obeys(place, tokens, guide):
            raise guide.refusal()
        request = self._request(place, tokens, top) | {
            **llama_parameters(sampling),
            "seed": step_seed(sampling.seed, 0),
            "grammar": guide.text,
            "n_predict": -1,
        }
        del request["response_fields"]
        last: _Choice | None = None
        told = 0
        async with aclosing(self._llama.stream(request)) as events:
            async for event in events:
                if last is not None:
                    yield replace(last, end_of_sequence=event.get("stop_type") == "eos")
                    last = None
                if event["stop"]:
                    return
                [reported] = event["completion_probabilities"]
                for token in self._untold(event, event["tokens_predicted"] - told - 1):
                    tokens.append(token)
                    yield _Choice(token, None, (), False)
                told = event["tokens_predicted"]
                tokens.append(reported["id"])
                last = _Choice(reported["id"], reported["logprob"], _candidates(reported, top), False)

    async def _obeys(self, place: int, tokens: Sequence[int], guide: Guide) -> bool:
        request = self._request(place, tokens, 1) | {**_GREEDY, "grammar": guide.probe}
        try:
            answer = await self._llama.complete(request)
        except LlamaError:
            return False
        token: int = answer["tokens"][0]
        first = self._vocabulary.pieces[token]
        mark = MARK.encode()
        return first.startswith(mark) or mark.startswith(first)

    def _untold(self, event: Mapping[str, Any], count: int) -> tuple[int, ...]:
        """Return the tokens that the stream left out, because a character ended only with the token of this event.

        Raises:
            LlamaError: there is no way to cut its bytes into that many tokens, or there are several.
        """
        if count == 0:
            return ()
        last: int = event["tokens"][-1]
        piece = self._vocabulary.pieces[last]
        ways = self._vocabulary.cuts(event["content"].encode().removesuffix(piece), count)
        if len(ways) != 1:
            raise LlamaError(f"llama.cpp did not say which {count + 1} tokens make {event['content']!r}")
        return ways[0]

    async def _look_up(
        self, place: int, tokens: Sequence[int], token: int, top: int
    ) -> tuple[float | None, tuple[Candidate, ...]]:
        """Return the log-probability of `token` after `tokens`, for a token that llama.cpp does not report.

        First, it is searched among the most likely tokens. If it is not there, a bias makes this token and one with a
        known probability the most likely ones. The ratio of the two probabilities then gives the unknown one.
        """
        other = self._vocabulary.harmless
        request = self._request(place, tokens, _LIKELY) | {**_GREEDY, "logit_bias": [[other, _FORCE]]}
        [reported] = (await self._llama.complete(request))["completion_probabilities"]
        candidates = _candidates(reported, _LIKELY)
        for candidate in candidates:
            if candidate.token == token:
                return candidate.logprob, candidates[:top]
        request = self._request(place, tokens, 2) | {
            "samplers": ["temperature"],
            "temperature": 1.0,
            "post_sampling_probs": True,
            "logit_bias": [[other, _LIFT + _LEAD], [token, _LIFT]],
        }
        compared = (await self._llama.complete(request)).get("completion_probabilities", [{"top_probs": ()}])
        chances: dict[int, float] = {one["id"]: one["prob"] for one in compared[0]["top_probs"]}
        if not (chances.get(token) and chances.get(other)):
            return None, candidates[:top]
        return reported["logprob"] + math.log(chances[token] / chances[other]) + _LEAD, candidates[:top]

    def _request(self, place: int, tokens: Sequence[int], top: int) -> dict[str, Any]:
        return {
            "prompt": tokens,
            "id_slot": place,
            "cache_prompt": True,
            "n_predict": 1,
            "n_probs": max(1, top),
            "return_tokens": True,
            "response_fields": _NEEDED,
        }


_GREEDY: Mapping[str, Any] = {"samplers": ["temperature"], "temperature": 0.0}


def _candidates(reported: Mapping[str, Any], count: int) -> tuple[Candidate, ...]:
    return tuple(Candidate(one["id"], one["logprob"]) for one in reported["top_logprobs"][:count])
