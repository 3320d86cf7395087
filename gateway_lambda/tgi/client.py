"""The requests to TGI: what a replica is, how many tokens a text has, a whole answer, a stream of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from gateway_lambda.errors import JSON_TYPE, GatewayError, Header, ServiceError, timed_out, unreachable
from gateway_lambda.generation.capabilities import Capabilities
from gateway_lambda.registry.record import Limits
from gateway_lambda.settings import Settings
from gateway_lambda.tgi.failures import from_status
from gateway_lambda.tgi.info import Info, adds_bos, capabilities_of, decode_info
from gateway_lambda.tgi.replica_state import ReplicaState
from gateway_lambda.tgi.replies import Generated, count_in, count_tokens, decode_generated
from gateway_lambda.tgi.stream import TgiStream
from gateway_lambda.upstream.client import Upstream
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.reply import Reply

_Result = TypeVar("_Result")

_TOKENIZE = b"/tokenize"
_KNOWN_FOR = 60.0
"""Seconds for which an answer of `/info` counts, unless the replica fails before."""
_UNKNOWN_FOR = 5.0
"""Seconds until the next question to a replica that did not say what it is."""


class TgiClient:
    """The calls of TGI's API that the gateway makes to the replicas of one run.

    `limits`: those in the model's record, which override what a replica says. `key`: the header with the replicas' key,
    or nothing.
    """

    def __init__(
        self, upstream: Upstream, settings: Settings, limits: Limits, replicas: list[Replica], key: list[Header]
    ) -> None:
        self._upstream = upstream
        self._limits = limits
        self._replicas = replicas
        self._key = key
        self._states = {replica: ReplicaState() for replica in replicas}
        self._idle_timeout = settings.idle_timeout
        self._plain_timeout = settings.plain_timeout
        self._short_timeout = 2 * settings.connect_timeout
        """For a question with a quick answer. Connecting has a shorter timeout."""

    @property
    def total_tokens(self) -> int | None:
        """How long prompt and answer can be together, as far as a replica has said."""
        found = [state.capabilities for state in self._states.values()]
        return next((each.max_total_tokens for each in found if each and each.max_total_tokens is not None), None)

    def on_a_replica(self, ask: Callable[[Replica], Awaitable[_Result]]) -> Awaitable[_Result]:
        """Return what `ask` gets from a replica, or from another one if that fails."""
        return self._upstream.on_a_replica(self._replicas, ask)

    async def capabilities(self, replica: Replica) -> Capabilities:
        """Return what the replica is. It is asked again after a failure and, in the background, once a minute.

        Raises `ServiceError` if it cannot be reached. A replica that answers something else counts as unknown.
        """
        state = self._states[replica]
        if state.capabilities is not None and not replica.lost:
            if state.asking is None and asyncio.get_running_loop().time() >= state.until:
                state.asking = asyncio.create_task(self._ask_info(replica))
            return state.capabilities
        if state.asking is None:
            state.asking = asyncio.create_task(self._ask_info(replica))
        await asyncio.shield(state.asking)
        if state.problem is not None:
            raise state.problem
        return state.capabilities or Capabilities()

    async def adds_bos(self, replica: Replica) -> bool | None:
        """Return whether the replica's tokenizer adds a BOS; None if the replica does not say it."""
        state = self._states[replica]
        if not state.bos_asked:
            state.bos = adds_bos(await self._tokenize(replica, "a"))
            state.bos_asked = True
        return state.bos

    async def count_tokens(self, replica: Replica, text: str) -> int:
        """Return how many tokens a prompt has; 0 if the replica does not say it."""
        return count_tokens(await self._tokenize(replica, text) or b"")

    async def generate(self, replica: Replica, body: bytes, *, grammar: str | None) -> tuple[Generated, int | None]:
        """Return a whole answer, and its `x-prompt-tokens`. Raises `GatewayError`."""
        try:
            async with asyncio.timeout(self._plain_timeout):
                reply = await self._post(replica, b"/generate", body)
                try:
                    found = await (reply.whole() if reply.status == 200 else reply.error_body())
                    return self._read(reply, found, grammar), count_in(reply.header(b"x-prompt-tokens"))
                finally:
                    reply.close()
        except TimeoutError:
            raise timed_out("the upstream did not complete the answer in time; set stream=true") from None

    async def stream(self, replica: Replica, body: bytes, *, grammar: str | None) -> TgiStream:
        """Return a stream whose first event is there and is not an error. Raises `GatewayError`."""
        try:
            async with asyncio.timeout(self._idle_timeout) as silence:
                reply = await self._post(replica, b"/generate_stream", body)
                stream = TgiStream(reply, grammar=grammar)
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

    def _post(self, replica: Replica, path: bytes, body: bytes) -> Awaitable[Reply]:
        headers = [JSON_TYPE, *self._key]
        return self._upstream.send(replica, b"POST", path, headers, body, question=path == _TOKENIZE)

    async def _ask_info(self, replica: Replica) -> None:
        state = self._states[replica]
        replica.lost = False
        try:
            info = await self._info(replica)
        except ServiceError as problem:
            state.problem = problem
            replica.lost = True
        else:
            state.capabilities, state.problem = capabilities_of(info or Info(), self._limits), None
            state.bos_asked = False
            state.until = asyncio.get_running_loop().time() + (_KNOWN_FOR if info else _UNKNOWN_FOR)
        finally:
            state.asking = None

    async def _info(self, replica: Replica) -> Info | None:
        """None where the replica does not say; where there are others, one that fails at this is not asked for more."""
        alone = replica.health.alone
        try:
            async with asyncio.timeout(self._short_timeout):
                reply = await self._upstream.send(replica, b"GET", b"/info", self._key, question=True)
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

    async def _tokenize(self, replica: Replica, text: str) -> bytes | None:
        body = msgspec.json.encode({"inputs": text})
        try:
            async with asyncio.timeout(self._short_timeout):
                reply = await self._post(replica, _TOKENIZE, body)
                try:
                    return await reply.whole() if reply.status == 200 else None
                finally:
                    reply.close()
        except (TimeoutError, ServiceError):
            return None
