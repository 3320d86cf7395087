"""Streaming the answers of one request, token by token (docs/translation.md#streams)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway_lambda.errors import GatewayError, Header
from gateway_lambda.generation.choice_stream import ChoiceStream, follow_choice
from gateway_lambda.generation.event_writer import EventWriter
from gateway_lambda.generation.gather_all import gather_all
from gateway_lambda.generation.generator import Generation
from gateway_lambda.generation.request import dropped_header
from gateway_lambda.generation.tokens import LastDetails, TokenStream
from gateway_lambda.server.event_stream import EventStream
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.recorded import Usage
from gateway_lambda.settings import Settings


async def stream_answers(
    exchange: Exchange, generations: list[Generation], make_writer: Callable[[], EventWriter], settings: Settings
) -> None:
    """Stream all choices of all generations, as their tokens come.

    `make_writer` is called when the response begins, so that each event has what is known of the upstream by then.
    Raises `GatewayError` before anything is sent. After that, errors are events.
    """
    streamed = _Streamed(exchange, generations, make_writer, settings)
    try:
        await streamed.run()
    except GatewayError as error:
        if not exchange.started:
            raise
        exchange.error = error.code
        await streamed.out.finish(streamed.writer.error(error))
    except asyncio.CancelledError:
        if exchange.started and not exchange.client_left and not exchange.done:
            words = exchange.last_words
            exchange.error = words.code
            await streamed.out.finish(streamed.writer.error(words))
        raise
    finally:
        streamed.close()


class _Streamed:
    def __init__(
        self,
        exchange: Exchange,
        generations: list[Generation],
        make_writer: Callable[[], EventWriter],
        settings: Settings,
    ) -> None:
        self._exchange = exchange
        self._usage = exchange.usage = Usage()
        self._generations = generations
        self._make_writer = make_writer
        self._writer: EventWriter | None = None
        self._streams: list[TokenStream] = []
        self._request = generations[0].request
        self.out = EventStream(exchange, settings, self._open)

    async def run(self) -> None:
        n = self._request.n
        pumps = [(generation, k) for generation in self._generations for k in range(n)]
        if len(pumps) == 1:
            last = await self._pump(*pumps[0], 0)
        else:
            await self._run_all(pumps)
            last = b""
        if self._request.include_usage:
            prompt_tokens = sum([await generation.count_prompt() for generation in self._generations])
            self._usage.prompt_tokens = prompt_tokens or None
            last += self.writer.usage(prompt_tokens, self._usage.completion_tokens or 0)
        await self.out.finish(last + self.writer.done)
        for stream in self._streams:
            await stream.finish()

    @property
    def writer(self) -> EventWriter:
        if self._writer is None:
            self._writer = self._make_writer()
        return self._writer

    def close(self) -> None:
        self.out.close()
        for stream in self._streams:
            stream.close()

    def _open(self) -> tuple[list[Header], bytes]:
        return dropped_header(self._request), self.writer.opening()

    async def _run_all(self, pumps: list[tuple[Generation, int]]) -> None:
        async def pump(generation: Generation, k: int, index: int) -> None:
            await self.out.write(await self._pump(generation, k, index))

        await gather_all([pump(*each, index) for index, each in enumerate(pumps)])

    async def _pump(self, generation: Generation, k: int, index: int) -> bytes:
        """Send one choice's text as it comes; what is left to send of it is returned."""
        stream = await generation.stream(k)
        self._exchange.first_token = self._exchange.first_token or time.monotonic()
        self._streams.append(stream)
        self.out.watched.append(stream)
        choice = follow_choice(index, generation, self.writer)
        try:
            return await self._follow(stream, choice, generation)
        finally:
            self._count(choice.tokens)

    async def _follow(self, stream: TokenStream, choice: ChoiceStream, generation: Generation) -> bytes:
        details: LastDetails | None = None
        decode = stream.decode
        while True:
            parts: list[bytes] = []
            try:
                for data in await stream.read():
                    event = decode(data)
                    details = event.details
                    if event.token is None:
                        raise stream.failure(event)
                    parts.append(choice.take(event.token, event))
                    if choice.finish is not None:
                        break
            except GatewayError as error:
                stream.fail_for(error)
                await self._write(parts)
                raise
            if choice.finish is not None:
                break
            await self._write(parts)
        self.out.watched.remove(stream)
        if details is None:
            stream.close()
        elif details.input_length is not None:
            generation.prompt_tokens = details.input_length
        return b"".join([*parts, choice.end()])

    def _count(self, tokens: int) -> None:
        """Note what is known now of the request's usage. `tokens`: those of one more choice."""
        usage = self._usage
        usage.completion_tokens = (usage.completion_tokens or 0) + tokens
        usage.prompt_tokens = sum([generation.prompt_tokens or 0 for generation in self._generations]) or None

    async def _write(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        if data:
            await self.out.write(data)
