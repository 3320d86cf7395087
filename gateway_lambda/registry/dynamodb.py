"""The registry in a DynamoDB table, read with one Query whenever the copy in memory is too old.

A function is frozen between requests, so nothing runs by a timer. A request that finds an old copy reads the table
again, and waits only a moment if the old copy can still be used.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway_lambda.address import BadAddress
from gateway_lambda.errors import unavailable
from gateway_lambda.registry.endpoint import dynamodb_endpoint, region_in
from gateway_lambda.registry.file import RegistryError
from gateway_lambda.registry.items import Item, read_items
from gateway_lambda.registry.sigv4 import NoCredentials, credentials_in, signed
from gateway_lambda.registry.table import Table
from gateway_lambda.upstream.replica import Replica
from gateway_lambda.upstream.request import NotSendable
from gateway_lambda.upstream.response import BrokenOff

_LOG = logging.getLogger(__name__)

FRESH_FOR = 30.0
"""Seconds for which a copy is used without reading the table."""
USABLE_FOR = 300.0
"""Seconds for which a copy is used if the table cannot be read."""
PATIENCE = 0.3
"""Seconds that a request waits for a new copy while the old one can still be used."""
PATIENCE_WITHOUT = 3.0
"""The same without a usable copy. After it, the answer is 503."""
APART = 1.0
"""Seconds between two readings for something that a copy does not have, and after a failed reading."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_TOLD = frozenset(("AccessDeniedException", "ResourceNotFoundException", "ValidationException"))
"""Errors whose message may be logged: those of a wrong signature repeat the request's security token."""


class _Refused(Exception):
    """DynamoDB's answer is an error."""


_UNREADABLE = (
    OSError,
    TimeoutError,
    BrokenOff,
    NotSendable,
    _Refused,
    NoCredentials,
    msgspec.MsgspecError,
    UnicodeDecodeError,
)


class _Page(msgspec.Struct, rename="pascal"):
    items: list[dict[str, dict[str, Any]]]


class _Following(msgspec.Struct, rename="pascal"):
    """Where the next page begins, if there is one."""

    last_evaluated_key: dict[str, Any] | None = None


class DynamoRegistry:
    """The last good copy of the registry's items in one table.

    If the table cannot be read, this is logged, and the last good copy is used for five minutes. Requests that come
    together share one reading. Each reading takes the credentials from `environment`. `clock`: seconds since 1970. A
    monotonic clock can stand still while a function is frozen.
    """

    def __init__(self, name: str, environment: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        """Raises `RegistryError` if a setting is missing, so that the table can never be read."""
        self._name = name
        self._environment = environment
        self._clock = clock
        self._region = _checked(name, environment)
        self._base = dynamodb_endpoint(environment, self._region)
        try:
            self._replica = Replica(self._base, None)
        except BadAddress as problem:
            raise RegistryError(f"DynamoDB's address {self._base!r} cannot be used: {problem}") from None
        self._table: Table | None = None
        self._pages: list[bytes] = []
        self._problems: frozenset[str] = frozenset()
        self._read_at = self._forced_at = self._failed_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def table(self) -> Table:
        """Return a copy of the last 30 s, else a new one, else one of the last 5 min. Raises `ServiceError` (503)."""
        if self._table is not None and self._within(FRESH_FOR, self._read_at):
            return self._table
        if self._usable() and self._within(APART, self._failed_at):
            return self._copy()
        return await self._look(consistent=False)

    async def refreshed(self) -> Table:
        """Return a copy with everything that was written before this call, or such a copy of the last second."""
        if self._usable() and (self._within(APART, self._forced_at) or self._within(APART, self._failed_at)):
            return self._copy()
        return await self._look(consistent=True)

    def _copy(self) -> Table:
        if self._table is None or not self._usable():
            raise unavailable("the gateway cannot read its registry now; try again shortly")
        return self._table

    def _usable(self) -> bool:
        return self._table is not None and self._within(USABLE_FOR, self._read_at)

    def _within(self, seconds: float, since: float) -> bool:
        """Whether so little time has passed; not where the clock was set back."""
        return 0 <= self._clock() - since < seconds

    async def _look(self, *, consistent: bool) -> Table:
        if self._looking is None:
            self._looking = asyncio.create_task(self._try(consistent))
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)
        return self._copy()

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None

    async def _try(self, consistent: bool) -> None:
        began = self._clock()
        if consistent:
            self._forced_at = began
        try:
            async with asyncio.timeout(PATIENCE if self._usable() else PATIENCE_WITHOUT):
                pages = await self._query(consistent)
            if self._table is None or pages != self._pages:
                self._take([item for page in pages for item in msgspec.json.decode(page, type=_Page).items])
                self._pages = pages
            self._read_at = began
        except _UNREADABLE as problem:
            self._failed_at = began
            stays = "the gateway uses the last good copy" if self._usable() else "the gateway has no copy"
            reason = str(problem) or "no answer in time"
            _LOG.error("the registry table %s cannot be read, and %s: %s", self._name, stays, reason)
        finally:
            # What is open while a function is frozen may be dead after it, and one that is dead costs the whole wait.
            self._replica.close()

    def _take(self, items: list[Item]) -> None:
        registry, problems = read_items(items)
        for problem in problems:
            if problem not in self._problems:
                _LOG.error("registry table %s: the gateway ignores an item: %s", self._name, problem)
        self._problems = frozenset(problems)
        self._table = Table(registry, self._table)

    async def _query(self, consistent: bool) -> list[bytes]:
        """The answer's pages, undecoded, so that the same answer costs nothing more. Raises what `_try` catches."""
        query: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "registry"}},
            "ConsistentRead": consistent,
        }
        pages: list[bytes] = []
        while True:
            pages.append(await self._ask(msgspec.json.encode(query)))
            following = msgspec.json.decode(pages[-1], type=_Following).last_evaluated_key
            if not following:
                return pages
            query["ExclusiveStartKey"] = following

    async def _ask(self, body: bytes) -> bytes:
        headers = signed(
            credentials_in(self._environment),
            region=self._region,
            service="dynamodb",
            host=self._replica.address.host.decode(),
            path=self._replica.address.path.decode() + "/",
            headers={"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.Query"},
            body=body,
            now=self._clock(),
        )
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        request = self._replica.request(b"POST", b"/", sent, body)
        connection = self._replica.idle_connection() or await self._replica.new_connection(PATIENCE_WITHOUT)
        response = connection.send(request)
        await response.head()
        pieces: list[bytes] = []
        while piece := await response.piece():
            pieces.append(piece)
        answer = b"".join(pieces)
        if response.status != 200:
            raise _Refused(_refusal(response.status, answer))
        return answer


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
