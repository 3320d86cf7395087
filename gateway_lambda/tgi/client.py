"""The requests to TGI: what a replica is, how many tokens a text has, a whole answer, a stream of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from gateway_lambda.errors import JSON_TYPE, GatewayError, ServiceError, timed_out, unreachable
from gateway_lambda.registry.record import Limits
from gateway_lambda.routing.runs import Run
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.failures import from_status
from gateway_lambda.tgi.info import Facts, Info, adds_bos, decode_info, facts_of
from gateway_lambda.tgi.replies import Generated, count_in, count_tokens, decode_generated
from gateway_lambda.tgi.token_stream import TokenStream
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.reply import Reply

_Answer = TypeVar("_Answer")

_TOKENIZE = b"/tokenize"
_KNOWN_FOR = 60.0
"""Seconds for which an answer of `/info` counts, unless the replica fails before."""
_UNKNOWN_FOR = 5.0
"""Seconds until the next question to a replica that did not say what it is."""


class TgiClient:
    """The calls of TGI's API that the gateway makes."""

    def __init__(self, upstream: Upstream, settings: Settings) -> None:
        self._upstream = upstream
        self._idle_timeout = settings.idle_timeout
        self._plain_timeout = settings.plain_timeout
        self._short_timeout = 2 * settings.connect_timeout
        """For a question with a quick answer. Connecting has a shorter timeout."""

    async def on_a_replica(self, run: Run, ask: Callable[[Replica], Awaitable[_Answer]]) -> _Answer:
        """Return what `ask` gets from a replica, or from another one if that fails."""
        return await self._upstream.on_a_replica(run.replicas, ask)

    async def facts_of_any(self, run: Run) -> Facts:
        """Return what one of the run's replicas says of itself. Raises `ServiceError` if none can be reached."""

        async def ask(replica: Replica) -> Facts:
            return await self.facts(run, replica)

        return await self._upstream.on_a_replica(run.replicas, ask)

    async def facts(self, run: Run, replica: Replica) -> Facts:
        """Return what the replica is. It is asked again after a failure and, in the background, once a minute.

        Raises `ServiceError` if it cannot be reached. A replica that answers something else counts as unknown.
        """
        known = run.known[replica]
        if known.facts is not None and not replica.lost:
            if known.asking is None and asyncio.get_running_loop().time() >= known.until:
                known.asking = asyncio.create_task(self._ask_facts(run, replica))
            return known.facts
        if known.asking is None:
            known.asking = asyncio.create_task(self._ask_facts(run, replica))
        await asyncio.shield(known.asking)
        if known.problem is not None:
            raise known.problem
        return known.facts or Facts()

    async def adds_bos(self, run: Run, replica: Replica) -> bool | None:
        """Return whether the replica's tokenizer adds a BOS; None if the replica does not say it."""
        known = run.known[replica]
        if not known.bos_asked:
            known.bos = adds_bos(await self._tokenize(run, replica, "a"))
            known.bos_asked = True
        return known.bos

    async def count_tokens(self, run: Run, replica: Replica, text: str) -> int:
        """Return how many tokens a prompt has; 0 if the replica does not say it."""
        return count_tokens(await self._tokenize(run, replica, text) or b"")

    async def generate(
        self, run: Run, replica: Replica, body: bytes, *, grammar: str | None
    ) -> tuple[Generated, int | None]:
        """Return a whole answer, and its `x-prompt-tokens`. Raises `GatewayError`."""
        try:
            async with asyncio.timeout(self._plain_timeout):
                reply = await self._post(run, replica, b"/generate", body)
                try:
                    found = await (reply.whole() if reply.status == 200 else reply.error_body())
                    return self._read(reply, found, grammar), count_in(reply.header(b"x-prompt-tokens"))
                finally:
                    reply.close()
        except TimeoutError:
            raise timed_out("the upstream did not complete the answer in time; set stream=true") from None

    async def stream(self, run: Run, replica: Replica, body: bytes, *, grammar: str | None) -> TokenStream:
        """Return a stream whose first event is there and is not an error. Raises `GatewayError`."""
        try:
            async with asyncio.timeout(self._idle_timeout) as silence:
                reply = await self._post(run, replica, b"/generate_stream", body)
                stream = TokenStream(reply, grammar=grammar)
                try:
                    if reply.status != 200:
                        raise from_status(reply.status, await reply.error_body(), grammar=grammar)
                    await stream.peek(silence, self._idle_timeout)
                except BaseException as problem:
                    if isinstance(problem, GatewayError):
                        reply.fail_for(problem)
                    reply.close()
                    raise
                return stream
        except TimeoutError:
            replica.fail()
            raise timed_out("the upstream sent nothing for too long") from None

    def _read(self, reply: Reply, found: bytes, grammar: str | None) -> Generated:
        try:
            if reply.status != 200:
                raise from_status(reply.status, found, grammar=grammar)
            return decode_generated(found)
        except GatewayError as error:
            reply.fail_for(error)
            raise

    async def _post(self, run: Run, replica: Replica, path: bytes, body: bytes) -> Reply:
        headers = [JSON_TYPE, *run.upstream_key]
        return await self._upstream.send(replica, b"POST", path, headers, body, question=path == _TOKENIZE)

    async def _ask_facts(self, run: Run, replica: Replica) -> None:
        known = run.known[replica]
        replica.lost = False
        try:
            info = await self._info(run, replica)
        except ServiceError as problem:
            known.problem = problem
            replica.lost = True
        else:
            limits = run.service.model.limits if run.service.model else Limits()
            known.facts, known.problem = facts_of(info or Info(), limits), None
            known.bos_asked = False
            known.until = asyncio.get_running_loop().time() + (_KNOWN_FOR if info else _UNKNOWN_FOR)
        finally:
            known.asking = None

    async def _info(self, run: Run, replica: Replica) -> Info | None:
        """None where the replica does not say; where there are others, one that fails at this is not asked for more."""
        alone = len(run.replicas) == 1
        try:
            async with asyncio.timeout(self._short_timeout):
                reply = await self._upstream.send(replica, b"GET", b"/info", run.upstream_key, question=True)
                try:
                    found = await reply.whole()
                finally:
                    reply.close()
        except TimeoutError:
            if alone:
                return None
            replica.fail()
            raise unreachable("the run's replica does not answer") from None
        except ServiceError as error:
            if alone and not error.another:
                return None
            raise unreachable(error.message) from None
        if reply.status >= 500 and not alone:
            raise unreachable(f"the run's replica answered {reply.status}")
        return decode_info(found) if reply.status == 200 else None

    async def _tokenize(self, run: Run, replica: Replica, text: str) -> bytes | None:
        body = msgspec.json.encode({"inputs": text})
        try:
            async with asyncio.timeout(self._short_timeout):
                reply = await self._post(run, replica, _TOKENIZE, body)
                try:
                    return await reply.whole() if reply.status == 200 else None
                finally:
                    reply.close()
        except (TimeoutError, ServiceError):
            return None
