"""Requests to one DynamoDB table, signed with the function's own credentials."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import msgspec

from gateway_lambda.address import BadAddress
from gateway_lambda.registry.endpoint import dynamodb_endpoint, region_in
from gateway_lambda.registry.file import RegistryError
from gateway_lambda.registry.sigv4 import NoCredentials, credentials_in, signed
from gateway_lambda.upstream.connection import Connection
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.request import NotSendable, Request
from gateway_lambda.upstream.response import BrokenOff

CONDITION = "ConditionalCheckFailedException"
"""The error of a write whose condition does not hold."""
_PATIENCE_TO_CONNECT = 3.0
"""Seconds for a connection, where the caller does not wait for less."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_TOLD = frozenset(("AccessDeniedException", "ResourceNotFoundException", "ValidationException"))
"""Errors whose message may be logged: those of a wrong signature repeat the request's security token."""


class Refused(Exception):
    """DynamoDB's answer is an error. `kind`: its name; empty: unknown. `answer`: its body."""

    def __init__(self, message: str, kind: str = "", answer: bytes = b"") -> None:
        super().__init__(message)
        self.kind = kind
        self.answer = answer


NO_ANSWER = (
    OSError,
    TimeoutError,
    BrokenOff,
    NotSendable,
    Refused,
    NoCredentials,
    msgspec.MsgspecError,
    UnicodeDecodeError,
)
"""What a request and the reading of its answer can raise."""


class TableClient:
    """Asks one table. Each request takes the credentials from `environment`.

    `clock`: seconds since 1970. A monotonic clock can stand still while a function is frozen.
    """

    def __init__(self, name: str, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        """Raises `RegistryError` if a setting is missing, so that the table can never be asked."""
        self.name = name
        self._environment = environment
        self._clock = clock
        self._region = _checked(name, environment)
        base = dynamodb_endpoint(environment, self._region)
        try:
            self._replica = Replica(base, None)
        except BadAddress as problem:
            raise RegistryError(f"DynamoDB's address {base!r} cannot be used: {problem}") from None

    def another(self) -> TableClient:
        """Return a client of the same table with connections of its own."""
        other = copy(self)
        other._replica = Replica(self._replica.base, None, tls=self._replica.tls)
        return other

    def close(self) -> None:
        """End all connections, also those of requests that wait."""
        self._replica.close()

    async def connect(self) -> None:
        """Open a connection, unless one is open and idle. Raises `OSError`, `TimeoutError`."""
        connection = self._replica.idle_connection() or await self._replica.new_connection(_PATIENCE_TO_CONNECT)
        self._replica.free(connection)

    async def query(self, partition: str, *, consistent: bool) -> list[bytes]:
        """Return the pages with all items of a partition, undecoded. Raises what is in `NO_ANSWER`."""
        query: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition}},
            "ConsistentRead": consistent,
        }
        pages: list[bytes] = []
        while True:
            pages.append(await self.ask("Query", query))
            following = msgspec.json.decode(pages[-1], type=_Following).last_evaluated_key
            if not following:
                return pages
            query["ExclusiveStartKey"] = following

    async def ask(self, operation: str, asked: Mapping[str, Any]) -> bytes:
        """Return the body of DynamoDB's answer to an operation such as `Query`.

        A connection that was idle can have ended while the function was frozen. If nothing came back on it, the request
        goes out once more, on another one. Raises what is in `NO_ANSWER`.
        """
        request = self._request(operation, msgspec.json.encode({"TableName": self.name, **asked}))
        idle = self._replica.idle_connection()
        if idle is not None:
            try:
                return await _answer(idle, request)
            except BrokenOff as problem:
                if problem.answered:
                    raise
        return await _answer(await self._replica.new_connection(_PATIENCE_TO_CONNECT), request)

    def _request(self, operation: str, body: bytes) -> Request:
        headers = signed(
            credentials_in(self._environment),
            region=self._region,
            service="dynamodb",
            host=self._replica.address.host.decode(),
            path=self._replica.address.path.decode() + "/",
            headers={"content-type": "application/x-amz-json-1.0", "x-amz-target": f"DynamoDB_20120810.{operation}"},
            body=body,
            now=self._clock(),
        )
        return self._replica.request(
            b"POST", b"/", [(name.encode(), value.encode()) for name, value in headers.items()], body
        )


class _Following(msgspec.Struct, rename="pascal"):
    """Where the next page begins, if there is one."""

    last_evaluated_key: dict[str, Any] | None = None


async def _answer(connection: Connection, request: Request) -> bytes:
    """Return the body of the answer. A connection without a whole answer is closed."""
    response = connection.send(request)
    try:
        await response.head()
        pieces: list[bytes] = []
        while piece := await response.piece():
            pieces.append(piece)
    finally:
        response.close()
    answer = b"".join(pieces)
    if response.status != 200:
        raise _refused(response.status, answer)
    return answer


def _checked(name: str, environment: Mapping[str, str]) -> str:
    """The region, where everything that a request needs is there."""
    where = f"GATEWAY_REGISTRY='dynamodb:{name}'"
    if not _NAME.fullmatch(name):
        raise RegistryError(
            f"{where}: a table's name has 3 to 255 of the characters A-Z a-z 0-9 _ . -; use dynamodb:TABLE"
        )
    try:
        credentials_in(environment)
    except NoCredentials as problem:
        raise RegistryError(f"{where}: {problem}") from None
    region = region_in(environment)
    if region is None:
        raise RegistryError(f"{where}: AWS_REGION is not set; set it to the table's region")
    return region


class _Error(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")
    message: str = ""
    Message: str = ""


def _refused(status: int, answer: bytes) -> Refused:
    """DynamoDB's error; its message is there as far as it may be logged."""
    try:
        error = msgspec.json.decode(answer, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Refused(f"DynamoDB answered {status}")
    kind = error.type.rpartition("#")[2][:80]
    message = f": {(error.message or error.Message)[:300]}" if kind in _TOLD else ""
    return Refused(f"DynamoDB answered {status} {kind}{message}", kind, answer)
