"""OpenAI's API as vLLM and other servers have it: llama.cpp's own, under the configured model's name.

A request goes to llama.cpp as it came, but for its model and its place. The answer comes back as llama.cpp gives it,
but for the name of the model. So what a request can have, and what the answer then is, is llama.cpp's affair.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import msgspec

from local.model_server.answers import write_event
from local.model_server.application import Application, PlainRefusal
from local.model_server.errors import Refusal
from local.model_server.http import Exchange
from local.model_server.llama import Llama, LlamaError, LlamaRefused
from local.model_server.llama_settings import MODEL
from local.model_server.response_events import ResponseEvents
from local.model_server.services import Service
from local.model_server.slots import Slots
from local.model_server.validation import Limits

PAYLOAD = 32 * 1024 * 1024
"""Bytes of a body."""
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
"""The fields with the length of an answer."""
_COMPLETION = 16
"""Tokens of a completion whose request has no limit, as OpenAI's API and vLLM have it."""
_NAME_IN_ANSWERS = b'"model":' + msgspec.json.encode(MODEL)
"""Quotes within texts have a backslash in JSON, so only the field itself looks like this."""


class OpenAIRefusal(Refusal):
    """An error in the form that vLLM has for it. `kind`: its `type`."""

    def __init__(self, status: int, kind: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self._kind = kind
        self._parameter = parameter

    def body(self) -> dict[str, Any]:
        """Return the error as JSON."""
        about = {"message": str(self), "type": self._kind, "param": self._parameter, "code": self.status}
        return {"error": about}


class PassedRefusal(Refusal):
    """An error of llama.cpp, in its own form, which is OpenAI's too."""

    def __init__(self, refused: LlamaRefused) -> None:
        super().__init__(str(refused))
        self.status = refused.status
        self._body = refused.body

    def body(self) -> Any:
        """Return the error as JSON."""
        return msgspec.Raw(self._body)


class OpenAIApp(Application):
    """One service. `own_name`: the name of the stand-in. `note`: what the server is, for people."""

    def __init__(
        self, llama: Llama, slots: Slots, service: Service, *, own_name: str, limits: Limits, note: str
    ) -> None:
        self._llama = llama
        self._slots = slots
        self._names = service.names
        self._name = service.model or own_name
        self._context = limits.max_total_tokens
        self._unasked = limits.max_unasked_tokens
        self._note = note
        written = msgspec.json.encode(self._name)
        self._name_in_answers = b'"model":' + written
        self._prefix = service.prefix.rstrip("/")
        super().__init__(
            {
                f"{self._prefix}/models": {"GET": self._tell_models},
                f"{self._prefix}/models/*": {"GET": self._tell_model},
                f"{self._prefix}/chat/completions": {"POST": self._generate},
                f"{self._prefix}/completions": {"POST": self._generate},
                f"{self._prefix}/responses": {"POST": self._generate},
                f"{self._prefix}/embeddings": {"POST": self._refuse_embeddings},
                "/tokenize": {"POST": self._tokenize},
                "/health": {"GET": self._health},
                "/ping": {"GET": self._health},
                "/metrics": {"GET": self._metrics},
                "/": {"GET": self._tell_routes},
            },
            payload_limit=PAYLOAD,
        )

    def ended(self) -> Refusal:
        """Return the error of an answer that the server's end breaks off."""
        return OpenAIRefusal(503, "ServiceUnavailableError", "the server ends")

    def unknown(self, path: str) -> Refusal:
        """Return the error of a path that has no route, with the routes that there are."""
        return OpenAIRefusal(404, "NotFoundError", f"no route {path}. {self.here()}")

    async def _generate(self, exchange: Exchange) -> None:
        request = await self._request(exchange)
        path = "/v1" + exchange.path.removeprefix(self._prefix)
        for field in _LIMITS:
            if isinstance(given := request.get(field), int) and given < 0:
                raise OpenAIRefusal(400, "BadRequestError", f"{field} must be at least 0, got {given}", field)
        if all(request.get(field) is None for field in _LIMITS):
            limit = _COMPLETION if path == "/v1/completions" else self._unasked
            request["max_output_tokens" if path == "/v1/responses" else "max_tokens"] = limit
        if request.get("stream") is True:
            await self._stream(exchange, path, request)
            return
        async with exchange.watch() as watch:
            answer = await watch.wait(self._whole(path, request))
        await exchange.respond(200, answer, kind="application/json")

    async def _whole(self, path: str, request: dict[str, Any]) -> bytes:
        try:
            async with self._placed(request) as body:
                return self._renamed(await self._llama.ask(path, body))
        except LlamaError as error:
            raise _refusal(error) from error

    async def _stream(self, exchange: Exchange, path: str, request: dict[str, Any]) -> None:
        events = self._events(path, request)
        async with exchange.watch() as watch:
            # llama.cpp's status is known with the first event.
            first = await watch.wait(anext(events, b""))
        broken_off = write_event(self.ended().body())
        await exchange.respond_events(_joined(first, events), {}, broken_off=broken_off)

    async def _events(self, path: str, request: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        begun = False
        complete = ResponseEvents(self._name).complete if path == "/v1/responses" else bytes
        try:
            async with self._placed(request) as body, aclosing(self._llama.events(path, body)) as events:
                async for event in events:
                    yield complete(self._renamed(event))
                    begun = True
        except LlamaError as error:
            if not begun:
                raise _refusal(error) from error
            yield write_event(_refusal(error).body())

    @asynccontextmanager
    async def _placed(self, request: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        """Wait for a place, and return the request's body with it: the place whose last prompt was most like this one.

        llama.cpp itself finds places for a request with several answers.
        """
        prompt = next((request[field] for field in ("messages", "prompt", "input") if field in request), "")
        several = request.get("n") not in (None, 1) or (isinstance(prompt, list) and "prompt" in request)
        async with self._slots.take(msgspec.json.encode(prompt).decode()) as place:
            placed = {} if several else {"id_slot": place}
            yield msgspec.json.encode({**request, **placed, "model": MODEL})

    def _renamed(self, answer: bytes) -> bytes:
        return answer.replace(_NAME_IN_ANSWERS, self._name_in_answers)

    async def _request(self, exchange: Exchange) -> dict[str, Any]:
        """Return the body, if this server has the model that it names."""
        try:
            found = await self.read(exchange, dict[str, Any])
        except PlainRefusal as refusal:
            raise OpenAIRefusal(refusal.status, "BadRequestError", str(refusal)) from None
        self._check_model(found.get("model"))
        return found

    def _check_model(self, name: object) -> None:
        if name is not None and self._names is not None and name not in self._names:
            raise OpenAIRefusal(404, "NotFoundError", f"The model `{name}` does not exist.", "model")

    async def _refuse_embeddings(self, exchange: Exchange) -> None:
        await self._request(exchange)
        why = "The model does not support Embeddings API: a model that writes text stands in here"
        raise OpenAIRefusal(400, "BadRequestError", why)

    async def _tokenize(self, exchange: Exchange) -> None:
        request = await self._request(exchange)
        prompt, messages = request.get("prompt"), request.get("messages")
        try:
            if isinstance(messages, list):
                prompt = await self._llama.write_prompt(cast("list[dict[str, Any]]", messages))
            if not isinstance(prompt, str):
                raise OpenAIRefusal(400, "BadRequestError", "`prompt` is a text, or `messages` is a list", "prompt")
            tokens = await self._llama.tokenize(prompt)
        except LlamaError as error:
            raise _refusal(error) from error
        await exchange.respond_json(
            200, {"count": len(tokens), "max_model_len": self._context, "tokens": tokens, "token_strs": None}
        )

    async def _tell_models(self, exchange: Exchange) -> None:
        await exchange.respond_json(200, {"object": "list", "data": [self._model()]})

    async def _tell_model(self, exchange: Exchange) -> None:
        self._check_model(exchange.path.removeprefix(f"{self._prefix}/models/"))
        await exchange.respond_json(200, self._model())

    def _model(self) -> dict[str, Any]:
        return {
            "id": self._name,
            "object": "model",
            "created": 0,
            "owned_by": "servestack-stand-in",
            "max_model_len": self._context,
        }

    async def _health(self, exchange: Exchange) -> None:
        if await self._llama.healthy():
            await exchange.respond(200)
        else:
            raise OpenAIRefusal(503, "ServiceUnavailableError", "unhealthy")

    async def _metrics(self, exchange: Exchange) -> None:
        try:
            await exchange.respond_text(200, (await self._llama.ask("/metrics")).decode())
        except LlamaError as error:
            raise _refusal(error) from error

    async def _tell_routes(self, exchange: Exchange) -> None:
        await exchange.respond_text(200, f"{self._note}.\n\n{self.here()}\n")


async def _joined(first: bytes, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        if first:
            yield first
        async for event in events:
            yield event


def _refusal(error: LlamaError) -> Refusal:
    if isinstance(error, LlamaRefused):
        return PassedRefusal(error)
    return OpenAIRefusal(500, "InternalServerError", str(error))
