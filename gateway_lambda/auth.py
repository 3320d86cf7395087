"""Who may use what: keys are known by their SHA-256 alone.

What a caller may not use is answered as what there is not, so that no answer tells the name of a run or of a model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from hashlib import sha256

from gateway_lambda.errors import RequestError, invalid_key
from gateway_lambda.exchange import Exchange
from gateway_lambda.key_limits import KeyLimits
from gateway_lambda.registry.record import Key, Service
from gateway_lambda.registry.table import RegistrySource, Table

Named = Callable[[Table, str], Sequence[Service]]
"""The services of a name, none where there is no such name: `Table.runs` or `Table.model`."""
Missing = Callable[[str], RequestError]
"""The error for a name that there is not."""


class Admission:
    """Lets callers in, and counts what their keys have asked for."""

    def __init__(self, registry: RegistrySource) -> None:
        self._registry = registry
        self._limits = KeyLimits()

    async def admitted(
        self, exchange: Exchange, table: Table, named: Named, name: str, missing: Missing, key: Key | None = None
    ) -> tuple[Service, Table]:
        """The service that answers, and the table that has it. Of several, chance decides by their weights.

        `key`: the caller's, where `table` is known to have it.
        Raises as `allowed` does, and `ServiceError` (429) for a key that has no requests left.
        """
        services, key, table = await self.allowed(exchange, table, named, name, missing, key)
        service = services[0] if len(services) == 1 else _by_weight(services)
        exchange.served = service
        if service.auth and key is not None and key.requests_per_minute is not None:
            self._limits.count(exchange, key.name, key.requests_per_minute)
        return service, table

    async def allowed(
        self, exchange: Exchange, table: Table, named: Named, name: str, missing: Missing, key: Key | None = None
    ) -> tuple[Sequence[Service], Key | None, Table]:
        """The named services that the caller may use, one at least; the caller's key where one is needed; and the table
        that has them. Before a refusal the registry is always read again, so that its time tells nothing either.

        Raises `RequestError`: 401 for a caller without a known key, unless every run here is open; else `missing`.
        """
        services, key = _usable(named(table, name), exchange.authorization, table, key)
        if not services:
            table = await self._registry.refreshed()
            services, key = _usable(named(table, name), exchange.authorization, table)
        if services:
            return services, key, table
        if key is None and table.any_closed:
            raise refusal(exchange.authorization)
        raise missing(name)


async def known_key(authorization: bytes | None, registry: RegistrySource, table: Table) -> Key | None:
    """The key that an Authorization header carries, if somebody was given it."""
    if not _bearer(authorization):
        return None
    return held_key(authorization, table) or held_key(authorization, await registry.refreshed())


def held_key(authorization: bytes | None, table: Table) -> Key | None:
    """The key that an Authorization header carries, if `table` has it; nothing is looked up for it."""
    secret = _bearer(authorization) if table.has_keys else None
    return table.key(sha256(secret).hexdigest()) if secret else None


def may_use(key: Key | None, service: Service) -> bool:
    """Whether a caller with `key` may use `service`; None is a caller without a known key."""
    if not service.auth:
        return True
    return key is not None and (key.runs is None or "*" in key.runs or service.run in key.runs)


def refusal(authorization: bytes | None) -> RequestError:
    """The 401 for a caller without a known key."""
    if _bearer(authorization):
        return invalid_key("the API key is not known here; check it, or ask the person who runs the gateway for a key")
    return invalid_key("the request has no API key; send it in the header 'Authorization: Bearer <key>'")


def _usable(
    services: Sequence[Service], authorization: bytes | None, table: Table, key: Key | None = None
) -> tuple[Sequence[Service], Key | None]:
    if services and not any(service.auth for service in services):
        return services, None
    key = key or held_key(authorization, table)
    return [service for service in services if may_use(key, service)], key


def _by_weight(services: Sequence[Service]) -> Service:
    (chosen,) = random.choices(services, [service.weight or 1 for service in services])  # noqa: S311
    return chosen


def _bearer(authorization: bytes | None) -> bytes | None:
    if not authorization:
        return None
    scheme, _, token = authorization.partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None
