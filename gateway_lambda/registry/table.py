"""One state of the registry, with indexes for requests, and the interface of every kind of registry."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from gateway_lambda.registry.counters import Counters
from gateway_lambda.registry.record import Key, ModelClaim, Registry, Service

_LOG = logging.getLogger(__name__)


class Table:
    """An immutable index over one `Registry`.

    `previous`: unchanged records are taken from it, so that what the gateway prepared for them stays valid.
    """

    __slots__ = ("_by_digest", "_by_model", "_by_run", "_left_out", "all_closed", "any_closed", "services")

    def __init__(self, registry: Registry, previous: Table | None = None) -> None:
        self._by_run: dict[str, Service] = {}
        for record in registry.services:
            known = previous.run(record.run) if previous else None
            self._by_run[record.run] = known if known is not None and known == record else record
        self.services = tuple(self._by_run.values())
        self.all_closed = all(service.auth for service in self.services)
        self.any_closed = any(service.auth for service in self.services)
        self._by_digest: dict[str, Key] = {key.sha256.lower(): key for key in registry.keys}
        models: dict[str, list[Service]] = {}
        for service in self.services:
            if service.model:
                models.setdefault(service.model.name, []).append(service)
        claims = {claim.model: claim for claim in registry.claims}
        named = {name: _owners(found, claims.get(name)) for name, found in models.items()}
        self._by_model = {name: owners for name, owners in named.items() if owners}
        self._left_out = {
            (name, service.run) for name, found in models.items() for service in found if service not in named[name]
        }
        for name, run in sorted(self._left_out - (previous._left_out if previous else set())):
            _LOG.error(
                "the model name %r belongs to another run, so that the run %r gets no requests for it", name, run
            )

    def run(self, name: str) -> Service | None:
        """The service of that run name."""
        return self._by_run.get(name)

    def runs(self, name: str) -> tuple[Service, ...]:
        """The service of that run name, or none."""
        service = self._by_run.get(name)
        return () if service is None else (service,)

    def model(self, name: str) -> tuple[Service, ...]:
        """The services whose model has that name: the one that had it first, or all that share it."""
        return self._by_model.get(name, ())

    def key(self, digest: str) -> Key | None:
        """The key with that SHA-256 (lower-case hex).

        A caller cannot choose the bits of a digest, and so cannot come closer to a secret key step by step. The last
        comparison always takes the same time.
        """
        found = self._by_digest.get(digest)
        return found if found and hmac.compare_digest(found.sha256.lower(), digest) else None

    @property
    def has_keys(self) -> bool:
        """Whether anybody was given a key."""
        return bool(self._by_digest)

    def models(self) -> Iterable[tuple[Service, ...]]:
        """For each model name its services."""
        return self._by_model.values()


class StateItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica last said of itself. Times are in seconds since 1970."""

    instance: str
    at: float = 0
    """When it said its step or cause."""
    step: str = ""
    percent: float | None = None
    """How much of the step is done; `None`: not known."""
    cause: str | None = None
    """What failed; `None`: nothing did."""
    final: bool = False
    """Whether another try cannot help."""
    figures_at: float = 0
    """When it wrote its figures; 0: never."""
    requests_per_second: float | None = None
    """Over the last minute before `figures_at`; `None`: not known."""
    tokens_per_second: float | None = None
    """The same of generated tokens."""


class RegistrySource(Protocol):
    """Where the registry's state comes from. Both calls answer from memory whenever that is fresh enough."""

    @property
    def counters(self) -> Counters:
        """Where requests are counted for limits."""
        ...

    async def table(self) -> Table:
        """The state to serve a request by."""
        ...

    async def refreshed(self) -> Table:
        """The state after looking again, for a run, model or key that `table` did not know."""
        ...

    async def state_items(self, run: str) -> Sequence[StateItem]:
        """What the replicas of a run last said of themselves. Each call looks; a file has none."""
        ...


def _owners(found: Sequence[Service], claim: ModelClaim | None) -> tuple[Service, ...]:
    """Of the services with one model name, those that get its requests."""
    if claim is not None:
        by_run = {service.run: service for service in found}
        holding = tuple(by_run[holder.run] for holder in claim.holders if holder.run in by_run)
        return holding if claim.shared else holding[:1]
    first, *_ = in_order = sorted(found, key=_registered)
    return (first,) if first.weight is None else tuple(one for one in in_order if one.weight is not None)


def _registered(service: Service) -> tuple[int, str]:
    return (service.model.created if service.model else 0, service.run)
