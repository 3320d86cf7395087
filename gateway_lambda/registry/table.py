"""One state of the registry, indexed the ways requests ask for it, and what every kind of registry offers."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Protocol

from gateway_lambda.registry.record import Key, Registry, Service


class Table:
    """An immutable index over one `Registry`.

    `previous`: records that did not change are taken over from it, so that what was made ready for them still holds.
    """

    __slots__ = ("_by_digest", "_by_model", "_by_run", "all_closed", "services")

    def __init__(self, registry: Registry, previous: Table | None = None) -> None:
        self._by_run: dict[str, Service] = {}
        for record in registry.services:
            known = previous.run(record.run) if previous else None
            self._by_run[record.run] = known if known is not None and known == record else record
        self.services = tuple(self._by_run.values())
        self.all_closed = all(service.auth for service in self.services)
        self._by_digest: dict[str, Key] = {key.sha256.lower(): key for key in registry.keys}
        models: dict[str, list[Service]] = {}
        for service in self.services:
            if service.model:
                models.setdefault(service.model.name, []).append(service)
        self._by_model = {name: tuple(sorted(found, key=_age)) for name, found in models.items()}

    def run(self, name: str) -> Service | None:
        """The service of that run name."""
        return self._by_run.get(name)

    def model(self, name: str) -> tuple[Service, ...]:
        """The services that serve a model of that name, newest first."""
        return self._by_model.get(name, ())

    def key(self, digest: str) -> Key | None:
        """The key with that SHA-256 (lower-case hex).

        What is looked up is a digest, whose bits a caller cannot steer towards a secret key's; the last comparison
        takes the same time wherever the two differ.
        """
        found = self._by_digest.get(digest)
        return found if found and hmac.compare_digest(found.sha256.lower(), digest) else None

    @property
    def has_keys(self) -> bool:
        """Whether anybody was given a key."""
        return bool(self._by_digest)

    def models(self) -> Iterable[tuple[Service, ...]]:
        """For each model name the services that serve it, newest first."""
        return self._by_model.values()


class RegistrySource(Protocol):
    """Where the registry's state comes from. Both calls answer from memory whenever that is fresh enough."""

    async def table(self) -> Table:
        """The state to serve a request by."""
        ...

    async def refreshed(self) -> Table:
        """The state after looking again, for a run, model or key that `table` did not know."""
        ...


def _age(service: Service) -> int:
    return -service.model.created if service.model else 0
