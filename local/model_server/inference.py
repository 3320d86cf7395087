"""From requests to answers: the checks, the tokens of the prompt, a place, the generation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from local.model_server.answers import Answer
from local.model_server.errors import GenerationError, Incomplete, InferError, Overloaded, TemplateError
from local.model_server.generation import Generator, Step
from local.model_server.llama import Llama, LlamaError
from local.model_server.metrics import Metrics
from local.model_server.requests import GenerateRequest
from local.model_server.slots import Slots
from local.model_server.stopping import PIECE, Stopping, count_budget
from local.model_server.validation import Limits, check_best_of, check_lengths, validate
from local.model_server.vocabulary import Vocabulary


class Inference:
    """Makes the answers of one model, for any number of clients."""

    def __init__(self, llama: Llama, vocabulary: Vocabulary, slots: Slots, limits: Limits, metrics: Metrics) -> None:
        self._llama = llama
        self._vocabulary = vocabulary
        self._generator = Generator(llama, vocabulary)
        self._slots = slots
        self._limits = limits
        self._metrics = metrics
        self._admitted = 0

    async def tokenize(self, text: str) -> list[int]:
        """Return the ids of a prompt's tokens.

        Raises:
            GenerationError: llama.cpp failed.
        """
        try:
            return await self._llama.tokenize(text)
        except LlamaError as error:
            raise GenerationError(str(error)) from error

    async def write_prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the prompt that the model's own chat template makes of `messages`.

        Raises:
            TemplateError: the template does not take them.
        """
        try:
            return await self._llama.write_prompt(messages)
        except LlamaError as error:
            self._metrics.count_failure(TemplateError.metric)
            raise TemplateError(str(error)) from error

    async def healthy(self) -> bool:
        """Return whether llama.cpp answers."""
        return await self._llama.healthy()

    async def generate(self, request: GenerateRequest) -> Answer:
        """Return one answer.

        Raises:
            InferError: refused or failed.
        """
        async with aclosing(self.stream(request)) as steps:
            async for _, answer in steps:
                if answer is not None:
                    return answer
        raise Incomplete

    async def generate_best_of(self, request: GenerateRequest, count: int) -> tuple[Answer, list[Answer]]:
        """Return the answer with the highest mean log-probability of `count` answers, and the others.

        Raises:
            InferError: refused, or one of them failed.
        """
        try:
            check_best_of(count, self._limits)
        except InferError as error:
            self._metrics.count_failure(error.metric)
            raise
        tasks = [asyncio.ensure_future(self.generate(request)) for _ in range(count)]
        try:
            answers = list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
        best = max(range(count), key=lambda place: answers[place].mean_logprob)
        return answers[best], [answer for place, answer in enumerate(answers) if place != best]

    async def stream(self, request: GenerateRequest) -> AsyncGenerator[tuple[Step, Answer | None], None]:
        """Yield an answer step by step. The last step has the whole answer.

        Raises:
            InferError: refused or failed.
        """
        if self._admitted >= self._limits.max_concurrent_requests:
            self._metrics.count_failure(Overloaded.metric)
            raise Overloaded
        self._admitted += 1
        try:
            async with aclosing(self._admit(request)) as steps:
                async for pair in steps:
                    yield pair
        except LlamaError as error:
            self._metrics.count_failure(GenerationError.metric)
            raise GenerationError(str(error)) from error
        except InferError as error:
            self._metrics.count_failure(error.metric)
            raise
        finally:
            self._admitted -= 1

    async def _admit(self, request: GenerateRequest) -> AsyncGenerator[tuple[Step, Answer | None], None]:
        arrived = time.perf_counter()
        valid = validate(request, self._limits)
        tokens = await self._llama.tokenize(valid.inputs)
        if valid.truncate is not None:
            tokens = tokens[-valid.truncate :]
        budget = count_budget(
            valid.max_new_tokens,
            len(tokens),
            max_input=self._limits.max_input_tokens,
            max_total=self._limits.max_total_tokens,
            longest=self._limits.max_unasked_tokens,
        )
        check_lengths(len(tokens), min(budget, PIECE), self._limits)
        prompt = tuple(tokens)
        queued = time.perf_counter()
        self._metrics.record({"input_length": len(prompt), "max_new_tokens": min(budget, PIECE)})
        async with self._slots.take(tokens) as place:
            started = time.perf_counter()
            scores = tuple(await self._generator.score(place, prompt)) if valid.decoder_input_details else ()
            steps: list[Step] = []
            generation = self._generator.generate(
                place,
                tokens,
                valid.sampling,
                stopping=Stopping(budget, valid.stop),
                top=valid.top_n_tokens,
                guide=valid.guide,
            )
            async with aclosing(generation):
                async for step in generation:
                    steps.append(step)
                    if step.finish is None:
                        yield step, None
                        continue
                    answer = Answer(
                        text=self._vocabulary.answer_text(one.token for one in steps),
                        finish=step.finish,
                        steps=tuple(steps),
                        prompt=prompt,
                        scores=scores,
                        seed=valid.sampling.seed if valid.sampling.random else None,
                        queued=queued,
                        started=started,
                    )
                    self._record(answer, arrived)
                    yield step, answer
                    return
        raise Incomplete

    def _record(self, answer: Answer, arrived: float) -> None:
        now = time.perf_counter()
        self._metrics.count_success()
        self._metrics.record(
            {
                "duration": now - arrived,
                "validation_duration": answer.queued - arrived,
                "queue_duration": answer.started - answer.queued,
                "inference_duration": now - answer.started,
                "mean_time_per_token_duration": (now - answer.started) / len(answer.steps),
                "generated_tokens": len(answer.steps),
            }
        )
