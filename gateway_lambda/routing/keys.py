"""Which caller may use which run. The registry has only the SHA-256 of each key. A key
that has expired counts as unknown.

A run that the caller may not use gets the same answer as a run that does not exist, so that no answer tells a name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from gateway_lambda.errors import RequestError, invalid_key
from gateway_lambda.registry.record import Key, Service
from gateway_lambda.registry.table import RegistrySource, Table
from gateway_lambda.routing.key_limits import KeyLimits
from gateway_lambda.server.exchange import Exchange

Named = Callable[[Table, str], Sequence[Service]]
"""Returns the services of a name, or none: `Table.runs` or `Table.model`."""
Missing = Callable[[str], RequestError]
"""Returns the error for a name that does not exist."""


class Admission:
    """Checks callers, and counts the requests of their keys."""

    def __init__(self, registry: RegistrySource) -> None:
        self._registry = registry
        self._limits = KeyLimits(registry.counters)

    async def admitted(
        self, exchange: Exchange, table: Table, named: Named, name: str, missing: Missing, key: Key | None = None
    ) -> tuple[Sequence[Service], Table]:
        """Return the services that may answer, and the table that has them. There are several only if they share a
        model name.

        `key`: the caller's key, if it is known that `table` has it.
        Raises what `allowed` raises, and `GatewayError` (429) if a limit of the key is reached.
        """
        services, key, table = await self.allowed(exchange, table, named, name, missing, key)
        service = services[0]
        exchange.run = service.run
        exchange.model = None if service.model is None else service.model.name
        if (
            key is not None
            and (key.requests_per_minute or key.tokens_per_day or key.max_concurrent)
            and (service.auth or any(other.auth for other in services))
        ):
            await self._limits.begin(exchange, key)
        return services, table

    async def allowed(
        self, exchange: Exchange, table: Table, named: Named, name: str, missing: Missing, key: Key | None = None
    ) -> tuple[Sequence[Service], Key | None, Table]:
        """Return the named services that the caller may use (at least one), the caller's key if it is known, and the
        table that has them. Before a refusal the registry is always read again, so that the time tells nothing.

        Raises `RequestError`: 401 for a caller without a known key, unless every run is open; else `missing`.
        """
        services, key = _usable(named(table, name), exchange.authorization, table, key)
        if not services:
            table = await self._registry.refreshed()
            services, key = _usable(named(table, name), exchange.authorization, table)
        if key is not None:
            exchange.key = key.name
        if services:
            return services, key, table
        if key is None and table.any_closed:
            raise refusal(exchange.authorization, table)
        raise missing(name)


async def known_key(authorization: bytes | None, registry: RegistrySource, table: Table) -> Key | None:
    """Return the key in an Authorization header, if the registry has it."""
    if not _bearer(authorization):
        return None
    return held_key(authorization, table) or held_key(authorization, await registry.refreshed())


def held_key(authorization: bytes | None, table: Table) -> Key | None:
    """Return the key in an Authorization header, if `table` has it and it has not expired. The registry is not read."""
    secret = _bearer(authorization) if table.has_keys else None
    key = table.key(sha256(secret).hexdigest()) if secret else None
    return None if key is None or (key.expires is not None and time.time() >= key.expires) else key


def may_use(key: Key | None, service: Service) -> bool:
    """Return whether a caller with `key` may use `service`. None means a caller without a known key."""
    if not service.auth:
        return True
    return key is not None and (key.runs is None or "*" in key.runs or service.run in key.runs)


def refusal(authorization: bytes | None, table: Table) -> RequestError:
    """Return the 401 for a caller without a known key. `table`: what is known now."""
    secret = _bearer(authorization)
    key = table.key(sha256(secret).hexdigest()) if secret else None
    if key is not None and key.expires is not None:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(key.expires))
        return invalid_key(f"the API key expired at {at} UTC; ask the person who runs the gateway for a new one")
    if secret:
        return invalid_key("the API key is not known here; check it, or ask the person who runs the gateway for a key")
    return invalid_key("the request has no API key; send it in the header 'Authorization: Bearer <key>'")


def _usable(
    services: Sequence[Service], authorization: bytes | None, table: Table, key: Key | None = None
) -> tuple[Sequence[Service], Key | None]:
    key = key or held_key(authorization, table)
    return [service for service in services if may_use(key, service)], key


def _bearer(authorization: bytes | None) -> bytes | None:
    if not authorization:
        return None
    scheme, _, token = authorization.partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None
