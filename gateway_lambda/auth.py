"""Who may use what: keys are known by their SHA-256 alone."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from gateway_lambda.errors import RequestError, invalid_key, permission_denied
from gateway_lambda.registry.record import Key, Service
from gateway_lambda.registry.table import RegistrySource, Table


async def admitted(
    services: Sequence[Service], authorization: bytes | None, registry: RegistrySource, table: Table
) -> Service:
    """The first of `services` that the caller may use.

    Raises `RequestError`: 401 without a known key, 403 for a key that may use none of them.
    """
    if not services[0].auth:
        return services[0]
    key = await known_key(authorization, registry, table)
    for service in services:
        if may_use(key, service):
            return service
    if key is None:
        raise refusal(authorization)
    raise permission_denied(f"the run {services[0].run!r}")


async def known_key(authorization: bytes | None, registry: RegistrySource, table: Table) -> Key | None:
    """The key that an Authorization header carries, if somebody was given it."""
    secret = _bearer(authorization)
    if not secret:
        return None
    digest = sha256(secret).hexdigest()
    return table.key(digest) or (await registry.refreshed()).key(digest)


def held_key(authorization: bytes | None, table: Table) -> Key | None:
    """The key that an Authorization header carries, if `table` knows it; nothing is looked up for it."""
    secret = _bearer(authorization) if table.has_keys else None
    return table.key(sha256(secret).hexdigest()) if secret else None


def may_use(key: Key | None, service: Service) -> bool:
    """Whether whoever holds `key` may use `service`; None is a caller without a known key."""
    if not service.auth:
        return True
    return key is not None and (key.runs is None or "*" in key.runs or service.run in key.runs)


def refusal(authorization: bytes | None) -> RequestError:
    """The 401 for a caller without a known key."""
    if _bearer(authorization):
        return invalid_key("incorrect API key: nobody was given this one here")
    return invalid_key("no API key: send it in the header 'Authorization: Bearer <key>'")


def _bearer(authorization: bytes | None) -> bytes | None:
    if not authorization:
        return None
    scheme, _, token = authorization.partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None
