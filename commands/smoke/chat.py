"""Checks of the OpenAI API, through OpenAI's own SDK."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import openai

from commands.smoke.arrivals import Arrivals
from commands.smoke.outcome import CheckFailed, CheckShort, CheckSkipped
from commands.smoke.target import Target

PATIENCE = 310.0
"""Seconds of silence after which the check gives up. API Gateway gives up after 300."""
FEWEST_CHUNKS = 8
"""Of which something can be said about how they arrive."""
SPREAD = 0.2
"""The smallest part of a stream's time over which its chunks arrive. A buffered stream arrives in an instant."""
SHORT = 64
"""Tokens of an ordinary answer."""

_COUNT = "Count from 1 to 60 in words, separated by commas."


class Chat:
    """A model, asked through OpenAI's SDK."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def models(self) -> str:
        """The list of models has the model of the service."""
        with self._client() as client:
            models = [model.id for model in client.models.list()]
        if self._target.model is not None and self._target.model not in models:
            raise CheckFailed(
                f"{self._target.model} is not in the list of models: {', '.join(models) or 'it is empty'}"
            )
        return f"{len(models)} listed" + (f", {self._target.model} among them" if self._target.model else "")

    def plain(self) -> str:
        """An answer in one piece."""
        with self._client() as client:
            answer = client.chat.completions.create(
                model=self._model(),
                messages=[{"role": "user", "content": _COUNT}],
                max_tokens=SHORT,
                temperature=0,
            )
        choice, usage = answer.choices[0], answer.usage
        if not (choice.message.content or "").strip():
            raise CheckFailed(f"an empty answer, finish_reason {choice.finish_reason}")
        tokens = "" if usage is None else f"{usage.completion_tokens} tokens, "
        return f"{tokens}finish_reason {choice.finish_reason}"

    def streaming(self) -> str:
        """An answer in pieces, with its end."""
        arrivals = self._read(SHORT)
        if not arrivals.text.strip() or arrivals.finish is None:
            raise CheckFailed(f"a stream of {len(arrivals.times)} chunks, finish_reason {arrivals.finish}")
        return f"{len(arrivals.times)} chunks, finish_reason {arrivals.finish}"

    def unbuffered(self) -> str:
        """Chunks arrive while the model writes."""
        arrivals = self._read(2 * SHORT)
        if len(arrivals.times) < FEWEST_CHUNKS:
            raise CheckShort(f"{len(arrivals.times)} chunks say nothing about how they arrive")
        if arrivals.seconds - arrivals.times[0] < SPREAD * arrivals.seconds:
            raise CheckFailed(f"buffered on the way: {arrivals.described()}")
        return arrivals.described()

    def stream(self, prompt: str, tokens: int, extra: Mapping[str, object] | None = None) -> Generator[Arrivals]:
        """Stream an answer, and yield what has arrived at each chunk. `extra`: fields that OpenAI does not have."""
        with self._client() as client:
            arrivals = Arrivals()  # after the client, which takes a while to make on a slow machine
            with client.chat.completions.create(
                model=self._model(),
                messages=[{"role": "user", "content": prompt}],
                max_tokens=tokens,
                temperature=0,
                stream=True,
                extra_body=extra,
            ) as stream:
                for chunk in stream:
                    for choice in chunk.choices:
                        if choice.delta.content:
                            arrivals.note(choice.delta.content)
                        arrivals.finish = choice.finish_reason or arrivals.finish
                    yield arrivals
        yield arrivals

    def _read(self, tokens: int) -> Arrivals:
        """A whole stream."""
        *_, arrivals = self.stream(_COUNT, tokens)
        return arrivals

    def _model(self) -> str:
        if self._target.model is None:
            raise CheckSkipped("the service has no model" if self._target.url else "only a gateway is tested")
        return self._target.model

    def _client(self) -> openai.OpenAI:
        """Return a client without retries: a check that fails once has failed."""
        key = "none" if self._target.key is None else self._target.key.reveal()
        return openai.OpenAI(base_url=self._target.openai_base_url, api_key=key, timeout=PATIENCE, max_retries=0)
