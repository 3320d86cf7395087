"""Which of the runs that share a model name answers a request, and which one if that run is down."""

from __future__ import annotations

import random
from collections.abc import Sequence

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry.record import Service
from gateway_lambda.registry.table import Table
from gateway_lambda.routing.runs import Run, Runs
from gateway_lambda.server.exchange import Exchange
from gateway_lambda.upstream.client import Upstream

_HOPEFUL = (429, 503)
"""Statuses that a caller hears of before others, in this order: after a short wait, a run may answer."""


class Attempts:
    """The runs that can answer one request, one after the other: a random choice by weight among those that seem
    well."""

    def __init__(
        self, exchange: Exchange, services: Sequence[Service], table: Table, runs: Runs, upstream: Upstream
    ) -> None:
        """`services`: at least one, which `table` holds."""
        self._exchange = exchange
        self._runs = runs
        self._upstream = upstream
        self._left = [runs.of(service, table, demand=False) for service in services]
        self._failed: list[tuple[Run, ServiceError]] = []
        self.run = self._next()
        """The run that has the request now."""

    def failed(self, error: ServiceError) -> None:
        """Give the request to another run, if no replica can have begun with it: the error has `another`.

        Otherwise, raises `ServiceError`. If no run is left, it has what each of them said. Before the caller gets an
        error, a run that has no replica is woken. As long as another run answers, none is woken.
        """
        if self._exchange.started or not error.another:
            self._wake()
            raise error
        # The traceback refers to this object. Together they are a circle, which only the garbage collector would free.
        self._failed.append((self.run, error.with_traceback(None)))
        if self._left:
            self.run = self._next()
            return
        self._wake()
        raise _none_answers(self._failed) from None

    def _wake(self) -> None:
        """Wake the first run that said that it has no replica."""
        asleep = (run for run, error in self._failed if run.service.min_replicas == 0 and error.status == 503)
        run = next(asleep, None)
        if run is not None:
            self._runs.wake(run)

    def _next(self) -> Run:
        """Return one of the runs that are least doubtful."""
        doubts = [self._upstream.doubt(run.replicas) for run in self._left]
        least = min(doubts)
        best = [run for run, doubt in zip(self._left, doubts, strict=True) if doubt == least]
        (chosen,) = random.choices(best, [run.service.weight or 1 for run in best])  # noqa: S311
        self._left.remove(chosen)
        self._exchange.run = chosen.service.run
        self._exchange.others = bool(self._left)
        return chosen


def _none_answers(failed: Sequence[tuple[Run, ServiceError]]) -> ServiceError:
    told = min((error for _, error in failed), key=_rank)
    said = "; ".join(f"{run.service.run}: {error.message}" for run, error in failed)
    message = f"no run with this model name can take the request now: {said}"
    return ServiceError(told.status, message, told.code or "", headers=told.headers)


def _rank(error: ServiceError) -> int:
    return _HOPEFUL.index(error.status) if error.status in _HOPEFUL else len(_HOPEFUL)
