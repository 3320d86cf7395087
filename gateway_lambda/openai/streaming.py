"""Streaming one request's answers: tokens in, chunks out, token by token (translation.md §6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway_lambda.errors import GatewayError, Header
from gateway_lambda.event_stream import EventStream
from gateway_lambda.exchange import Exchange
from gateway_lambda.openai.chunks import DONE
from gateway_lambda.openai.request import dropped_header
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.answer import Answer, Finish
from gateway_lambda.tgi.client import TokenStream
from gateway_lambda.tgi.generation import Generation
from gateway_lambda.tgi.replies import LastDetails, decode_event


class Chunks(Protocol):
    """How the parts of a stream are written; choices are numbered through all generations."""

    def opening(self) -> bytes: ...
    def text(self, index: int, text: str) -> bytes: ...
    def end(self, index: int, finish: Finish) -> bytes: ...
    def usage(self, prompt: int, completion: int) -> bytes: ...


async def stream_answers(
    exchange: Exchange, generations: list[Generation], make_chunks: Callable[[], Chunks], settings: Settings
) -> None:
    """Stream all choices of all generations, as their tokens come.

    `make_chunks` is called when the response begins: what is known of the upstream by then goes into every chunk.
    Raises `GatewayError` as long as nothing was sent; afterwards errors are events.
    """
    streamed = _Streamed(exchange, generations, make_chunks, settings)
    try:
        await streamed.run()
    except GatewayError as error:
        if not exchange.started:
            raise
        await streamed.out.fail(error)
    finally:
        streamed.close()


class _Streamed:
    def __init__(
        self, exchange: Exchange, generations: list[Generation], make_chunks: Callable[[], Chunks], settings: Settings
    ) -> None:
        self._generations = generations
        self._make_chunks = make_chunks
        self._chunks: Chunks | None = None
        self._completion_tokens = 0
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
            last += self.chunks.usage(prompt_tokens, self._completion_tokens)
        await self.out.finish(last + DONE)
        for stream in self._streams:
            await stream.finish()

    @property
    def chunks(self) -> Chunks:
        if self._chunks is None:
            self._chunks = self._make_chunks()
        return self._chunks

    def close(self) -> None:
        self.out.close()
        for stream in self._streams:
            stream.close()

    def _open(self) -> tuple[list[Header], bytes]:
        return dropped_header(self._request), self.chunks.opening()

    async def _run_all(self, pumps: list[tuple[Generation, int]]) -> None:
        async def pump(generation: Generation, k: int, index: int) -> None:
            await self.out.write(await self._pump(generation, k, index))

        try:
            async with asyncio.TaskGroup() as group:
                for index, (generation, k) in enumerate(pumps):
                    group.create_task(pump(generation, k, index))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _pump(self, generation: Generation, k: int, index: int) -> bytes:
        """Send one choice's text as it comes; what is left to send of it is returned."""
        stream = await generation.stream(k)
        self._streams.append(stream)
        self.out.watched.append(stream)
        chunks, write, take = self.chunks, self.out.write, Answer(generation.stops, generation.limit)
        details: LastDetails | None = None
        while True:
            parts: list[bytes] = []
            try:
                for data in await stream.read():
                    event = decode_event(data)
                    token, details = event.token, event.details
                    if token is None:
                        raise stream.failure(event)
                    shown = take.take(token.text, token.special, details.finish_reason if details else None)
                    if shown:
                        parts.append(chunks.text(index, shown))
                    if take.finish is not None:
                        break
            except GatewayError:
                if parts:
                    await write(b"".join(parts))
                raise
            if take.finish is not None:
                break
            if parts:
                await write(b"".join(parts))
        self.out.watched.remove(stream)
        if details is None:
            stream.close()
        elif details.input_length is not None:
            generation.prompt_tokens = details.input_length
        self._completion_tokens += take.tokens
        parts.append(chunks.end(index, take.finish))
        return b"".join(parts)
