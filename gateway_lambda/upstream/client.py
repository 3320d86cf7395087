"""Sends requests to a replica, and says what its failures mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from gateway_lambda.errors import GatewayError, Header, RequestError, ServiceError, unreachable
from gateway_lambda.settings import Settings
from gateway_lambda.upstream.choosing import Doubt, ReplicaChooser
from gateway_lambda.upstream.connection import Connection
from gateway_lambda.upstream.health import FAILING
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.reply import Reply
from gateway_lambda.upstream.request import NotSendable
from gateway_lambda.upstream.response import BrokenOff, Response

_Result = TypeVar("_Result")

_LOG = logging.getLogger(__name__)

_BALANCER = b"awselb/"
"""How AWS's load balancer begins the Server header of what it answers by itself."""
_CONNECTING = 30.0
"""Seconds. The balancer gives up connecting to a target after 10 s, and waits for an answer for 60 s at least."""


class Upstream:
    """How one gateway process sends requests to replicas."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chooser = ReplicaChooser(self._ask_whether_there)

    def on_a_replica(self, replicas: list[Replica], ask: Callable[[Replica], Awaitable[_Result]]) -> Awaitable[_Result]:
        """Return what `ask` gets from a replica. Others get the request in turn while the errors have `another`.

        Raises `ServiceError`: the last replica's error, or one that says that the run has no replica.
        """
        alone = len(replicas) == 1 and replicas[0].health.alone
        return ask(replicas[0]) if alone else self._chooser.on_a_replica(replicas, ask)

    def doubt(self, replicas: list[Replica]) -> Doubt:
        """Return how doubtful a run with these replicas is. Those that are not well are asked whether they answer."""
        return self._chooser.doubt(replicas)

    async def send(
        self,
        replica: Replica,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes | AsyncIterator[bytes] = b"",
        *,
        length: bytes | None = None,
        repeatable: bool = False,
        question: bool = False,
    ) -> Reply:
        """Send a request to a replica, and wait for the head of its response.

        `target`, `headers`, `length`: as in `Request`. `repeatable`: a second request changes nothing. Any other
        request is sent a second time only if the replica cannot have seen it, and never after it may have begun to
        work. `question`: a question of the gateway, which is repeatable. Its answer says that the replica answers, and
        not that it serves.

        Raises `RequestError` for what cannot be sent, and `ServiceError`, whose `another` is true if another replica
        can get the request.
        """
        try:
            request = replica.request(method, target, headers, body, length)
        except NotSendable as problem:
            raise RequestError(str(problem), "invalid_value") from None
        repeatable = (repeatable or question) and isinstance(body, bytes)
        again = False
        begun = asyncio.get_running_loop().time()
        replica.in_flight += 1
        connection = response = sending = None
        try:
            while True:
                connection = (None if again else replica.idle_connection()) or await self._connect(replica)
                response = connection.send(request)
                if not isinstance(body, bytes):
                    sending = asyncio.create_task(connection.send_body(body, request.length))
                try:
                    await response.head()
                except BrokenOff as problem:
                    may_repeat = repeatable or (problem.untaken and isinstance(body, bytes))
                    if again or not may_repeat or not connection.used or problem.answered:
                        _LOG.warning("%s did not answer: %s", replica.base, problem)
                        raise _no_answer(problem, another=may_repeat) from None
                else:
                    if response.status not in FAILING:
                        replica.health.there()
                        return Reply(replica, response, sending, question=question)
                    if again or not isinstance(body, bytes) or not _reached_nobody(response, begun, repeatable):
                        return Reply(replica, response, sending, question=question)
                    response.close()
                again = True
        except BaseException as problem:
            replica.in_flight -= 1
            if isinstance(problem, ServiceError) and (connection is None or isinstance(body, bytes)):
                # Otherwise the gateway may have ended the connection itself, because the body was wrong.
                replica.fail()
            if response is not None:
                response.close()
            if sending is not None:
                sending.cancel()
            raise

    async def _ask_whether_there(self, replica: Replica) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                if replica.question is None:
                    (await self._connect(replica)).end()
                else:
                    reply = await self.send(replica, b"GET", *replica.question, question=True)
                    try:
                        await reply.whole()
                        if reply.status in FAILING:
                            reply.fail()
                            return
                    finally:
                        reply.close()
        except TimeoutError:
            replica.fail()
        except GatewayError:
            if replica.question is None:
                replica.fail()
        else:
            replica.health.passed()

    async def _connect(self, replica: Replica) -> Connection:
        try:
            return await replica.new_connection(self._settings.connect_timeout)
        except (OSError, TimeoutError) as problem:
            _LOG.warning("the gateway cannot connect to %s: %s", replica.base, str(problem) or "it took too long")
            raise unreachable(
                "the gateway cannot connect to the run's replica, which may be starting or gone; try again shortly"
            ) from None


def _no_answer(problem: BrokenOff, *, another: bool) -> ServiceError:
    if problem.answered:
        return unreachable("the run's replica answered with something that is not HTTP", another=another)
    return unreachable("the run's replica closed the connection before it answered", another=another)


def _reached_nobody(response: Response, begun: float, repeatable: bool) -> bool:
    """Whether AWS's load balancer answers for a target that it certainly did not reach, or whose request can be
    repeated.

    502 can also mean that the target took the request and died.
    """
    if not (response.header(b"server") or b"").startswith(_BALANCER):
        return False
    quick = asyncio.get_running_loop().time() - begun < _CONNECTING
    return repeatable or (response.status == 504 and quick)
