"""TGI's HTTP API (router/src/server.rs), as an ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from local.model_server.answers import COMPUTE_TYPE, Answers, answer_headers, write_event
from local.model_server.application import Application, Routes
from local.model_server.chat import Chat, ChatRequest, models
from local.model_server.errors import Incomplete, IncompleteStream, InferError, NoRoute, Refusal
from local.model_server.http import Exchange, Headers
from local.model_server.inference import Inference
from local.model_server.metrics import Metrics
from local.model_server.requests import CompatRequest, GenerateRequest
from local.model_server.slots import Slots
from local.model_server.validation import Limits, check_streamed
from local.model_server.vocabulary import Vocabulary


class TgiApp(Application):
    """The application. It listens on as many ports as services it stands in for, and differs in `/info` alone.

    `info` gives what `/info` answers on a port.
    """

    def __init__(
        self,
        inference: Inference,
        vocabulary: Vocabulary,
        slots: Slots,
        limits: Limits,
        metrics: Metrics,
        info: Callable[[int], Mapping[str, Any]],
    ) -> None:
        self._inference = inference
        self._vocabulary = vocabulary
        self._answers = Answers(vocabulary)
        self._slots = slots
        self._metrics = metrics
        self._info = info
        routes: Routes = {
            "/": {"POST": self._compat, "GET": self._tell_routes},
            "/generate": {"POST": self._generate},
            "/generate_stream": {"POST": self._generate_stream},
            "/tokenize": {"POST": self._tokenize},
            "/v1/chat/completions": {"POST": self._chat},
            "/v1/models": {"GET": self._tell_models},
            "/info": {"GET": self._tell_info},
            "/health": {"GET": self._health},
            "/ping": {"GET": self._health},
            "/metrics": {"GET": self._tell_metrics},
        }
        super().__init__(routes, payload_limit=limits.payload_limit)

    def ended(self) -> Refusal:
        """Return TGI's error of an answer that the server's end breaks off."""
        return Incomplete()

    def unknown(self, path: str) -> Refusal:
        """Return the error of a path that has no route, with the routes that there are."""
        return NoRoute(f"no route {path}. {self.here()}")

    async def _compat(self, exchange: Exchange) -> None:
        request = await self.read(exchange, CompatRequest)
        whole = request.parameters.return_full_text
        with_prompt = whole is None or whole
        if request.stream:
            await self._respond_stream(exchange, request, with_prompt=with_prompt)
        else:
            body, headers = await self._whole(exchange, request, with_prompt=with_prompt)
            await exchange.respond_json(200, [body], headers=headers)

    async def _generate(self, exchange: Exchange) -> None:
        request = await self.read(exchange, GenerateRequest)
        with_prompt = bool(request.parameters.return_full_text)
        body, headers = await self._whole(exchange, request, with_prompt=with_prompt)
        await exchange.respond_json(200, body, headers=headers)

    async def _generate_stream(self, exchange: Exchange) -> None:
        request = await self.read(exchange, GenerateRequest)
        await self._respond_stream(exchange, request, with_prompt=bool(request.parameters.return_full_text))

    async def _tokenize(self, exchange: Exchange) -> None:
        request = await self.read(exchange, GenerateRequest)
        ids = await self._inference.tokenize(request.inputs) if request.inputs else []
        body = await asyncio.to_thread(self._answers.tokens, request.inputs, ids)
        await exchange.respond(200, body, kind="application/json")

    async def _chat(self, exchange: Exchange) -> None:
        request = await self.read(exchange, ChatRequest)
        self._metrics.count_request()
        generation = request.as_generation(await self._inference.write_prompt(request.messages))
        chat = Chat(request, self._answers, self._info(exchange.port))
        if request.stream:
            events = chat.events(self._inference.stream(generation))
            await self._send_events(exchange, generation, events)
            return
        began = time.perf_counter()
        async with exchange.watch() as watch:
            answer = await watch.wait(self._inference.generate(generation))
        headers = answer_headers(answer, began, len(generation.inputs))
        await exchange.respond_json(200, chat.completion(answer), headers=headers)

    async def _tell_models(self, exchange: Exchange) -> None:
        await exchange.respond_json(200, models(self._info(exchange.port)))

    async def _tell_routes(self, exchange: Exchange) -> None:
        if await self._inference.healthy():
            await exchange.respond_text(200, f"{self._info(exchange.port)['note']}.\n\n{self.here()}\n")
        else:
            await self._health(exchange)

    async def _tell_info(self, exchange: Exchange) -> None:
        await exchange.respond_json(200, self._info(exchange.port))

    async def _health(self, exchange: Exchange) -> None:
        if await self._inference.healthy():
            await exchange.respond(200)
        else:
            await exchange.respond_json(503, {"error": "unhealthy", "error_type": "healthcheck"})

    async def _tell_metrics(self, exchange: Exchange) -> None:
        text = self._metrics.render(running=self._slots.running, waiting=self._slots.waiting)
        await exchange.respond_text(200, text)

    async def _whole(
        self, exchange: Exchange, request: GenerateRequest, *, with_prompt: bool
    ) -> tuple[dict[str, Any], Headers]:
        began = time.perf_counter()
        self._metrics.count_request()
        given = request.parameters
        async with exchange.watch() as watch:
            if given.best_of is not None and given.best_of > 1:
                answer, others = await watch.wait(self._inference.generate_best_of(request, given.best_of))
            else:
                answer, others = await watch.wait(self._inference.generate(request)), None
        body = self._answers.whole(
            answer,
            prompt=request.inputs if with_prompt else "",
            details=given.details or given.decoder_input_details,
            top=bool(given.top_n_tokens),
            others=others,
        )
        return body, answer_headers(answer, began, len(request.inputs))

    async def _respond_stream(self, exchange: Exchange, request: GenerateRequest, *, with_prompt: bool) -> None:
        self._metrics.count_request()
        await self._send_events(exchange, request, self._events(request, prompt=request.inputs if with_prompt else ""))

    async def _send_events(
        self, exchange: Exchange, request: GenerateRequest, events: AsyncGenerator[bytes, None]
    ) -> None:
        headers = {
            "x-compute-type": COMPUTE_TYPE,
            "x-compute-characters": str(len(request.inputs)),
            "x-accel-buffering": "no",
        }
        await exchange.respond_events(events, headers, broken_off=write_event(IncompleteStream().body()))

    async def _events(self, request: GenerateRequest, *, prompt: str) -> AsyncGenerator[bytes, None]:
        given = request.parameters
        top = bool(given.top_n_tokens)
        index = 0
        try:
            check_streamed(given)
            async with aclosing(self._inference.stream(request)) as steps:
                async for step, answer in steps:
                    index += 1
                    yield write_event(
                        self._answers.event(index, step, top=top)
                        if answer is None
                        else self._answers.last_event(
                            index, step, answer, prompt=prompt, details=given.details, top=top
                        )
                    )
        except InferError as error:
            yield write_event(error.body())
