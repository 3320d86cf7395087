"""Requests to one DynamoDB table, with the function's own credentials and without AWS's SDK."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway_lambda.address import BadAddress
from gateway_lambda.registry.endpoint import dynamodb_endpoint, region_in
from gateway_lambda.registry.file import RegistryError
from gateway_lambda.registry.sigv4 import NoCredentials, credentials_in, signed
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.request import NotSendable
from gateway_lambda.upstream.response import BrokenOff

CONNECT_WITHIN = 3.0
"""Seconds for a connection."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_TOLD = frozenset(("AccessDeniedException", "ResourceNotFoundException", "ValidationException"))
"""Errors whose message may be logged: those of a wrong signature repeat the request's security token."""


class Refused(Exception):
    """DynamoDB's answer is an error. `str()` can be logged."""


UNREADABLE = (
    OSError,
    TimeoutError,
    BrokenOff,
    NotSendable,
    Refused,
    NoCredentials,
    msgspec.MsgspecError,
    UnicodeDecodeError,
)
"""What `DynamoClient` raises when an answer does not come or cannot be read."""


class DynamoClient:
    """The table `name`. Each request takes the credentials from `environment`. `clock`: seconds since 1970.

    Raises `RegistryError` if a setting is missing, so that the table can never be read.
    """

    def __init__(self, name: str, environment: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._name = name
        self._environment = environment
        self._clock = clock
        self._region = _checked(name, environment)
        base = dynamodb_endpoint(environment, self._region)
        try:
            self._replica = Replica(base, None)
        except BadAddress as problem:
            raise RegistryError(f"DynamoDB's address {base!r} cannot be used: {problem}") from None

    def close(self) -> None:
        """End all connections, also those of requests that wait."""
        self._replica.close()

    async def query(self, partition: str, *, consistent: bool) -> list[bytes]:
        """Return the pages with all items of a partition, undecoded. Raises `UNREADABLE`."""
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

    async def ask(self, operation: str, parameters: Mapping[str, Any]) -> bytes:
        """Return the answer to one request, undecoded. Raises `UNREADABLE`."""
        body = msgspec.json.encode({"TableName": self._name, **parameters})
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
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        request = self._replica.request(b"POST", b"/", sent, body)
        connection = self._replica.idle_connection() or await self._replica.new_connection(CONNECT_WITHIN)
        response = connection.send(request)
        await response.head()
        pieces: list[bytes] = []
        while piece := await response.piece():
            pieces.append(piece)
        answer = b"".join(pieces)
        if response.status != 200:
            raise Refused(_refusal(response.status, answer))
        return answer


class _Following(msgspec.Struct, rename="pascal"):
    """Where the next page begins, if there is one."""

    last_evaluated_key: dict[str, Any] | None = None


def _checked(name: str, environment: Mapping[str, str]) -> str:
    """The region, where everything that a look needs is there."""
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


def _refusal(status: int, answer: bytes) -> str:
    """What DynamoDB's error says, as far as it may be logged."""
    try:
        error = msgspec.json.decode(answer, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"DynamoDB answered {status}"
    kind = error.type.rpartition("#")[2][:80]
    message = f": {(error.message or error.Message)[:300]}" if kind in _TOLD else ""
    return f"DynamoDB answered {status} {kind}{message}"
