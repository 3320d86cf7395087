"""The registry in a JSON file, read again whenever the file changes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import msgspec

from gateway_lambda.registry.counters import MemoryCounters
from gateway_lambda.registry.record import Key, Registry, Service
from gateway_lambda.registry.table import StateItem, Table

_LOG = logging.getLogger(__name__)

_Stamp = tuple[int, int, int]
_UNREADABLE = (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class RegistryError(ValueError):
    """The registry cannot be read, and there is no earlier state to use."""


class FileRegistry:
    """The last good state of the file at `path`.

    If the file becomes broken or missing, this is logged once for each change, and the last good state is used. Each
    request costs one `stat`.
    """

    def __init__(self, path: str) -> None:
        """Raises `RegistryError` if the file cannot be read."""
        self._path = path
        self.counters = MemoryCounters()
        self._stamp: _Stamp | None = None
        try:
            self._stamp = self._look()
            self._table = self._read(None)
        except _UNREADABLE as problem:
            raise RegistryError(f"registry file {path}: {problem}") from problem

    async def table(self) -> Table:
        """The file's state now."""
        try:
            stamp = self._look()
        except OSError as problem:
            stamp = None
            if self._stamp is not None:
                _LOG.error(
                    "the registry file %s cannot be read, and the gateway uses the last good state: %s",
                    self._path,
                    problem,
                )
        if stamp == self._stamp:
            return self._table
        self._stamp = stamp
        if stamp is None:
            return self._table
        try:
            self._table = self._read(self._table)
        except _UNREADABLE as problem:
            _LOG.error(
                "the registry file %s is broken, and the gateway uses the last good state: %s", self._path, problem
            )
        return self._table

    async def refreshed(self) -> Table:
        """The same: `table` always looks."""
        return await self.table()

    async def state_items(self, run: str) -> Sequence[StateItem]:
        """Nothing: only replicas on AWS write state items."""
        return ()

    def _look(self) -> _Stamp:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self, previous: Table | None) -> Table:
        with open(self._path, "rb") as file:
            return Table(decode_registry(file.read(), f"registry file {self._path}"), previous)


class _Records(msgspec.Struct):
    """The file's lists, their records still undecoded."""

    keys: list[msgspec.Raw] = []
    services: list[msgspec.Raw] = []


def decode_registry(data: bytes, origin: str) -> Registry:
    """Return the registry in `data`. A broken record is logged and ignored, so that the others still work.

    Raises `msgspec.DecodeError` or `UnicodeDecodeError` if `data` is not a registry.
    """
    records = msgspec.json.decode(data, type=_Records)
    keys: list[Key] = []
    services: list[Service] = []
    for kind, raws, found in ((Key, records.keys, keys), (Service, records.services, services)):
        for number, raw in enumerate(raws):
            try:
                found.append(msgspec.json.decode(raw, type=kind))  # pyright: ignore[reportArgumentType]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                _LOG.error("%s: the gateway ignores %s %d: %s", origin, kind.__name__.lower(), number, problem)
    return Registry(keys=keys, services=services)
