"""Numbers of the requests that have ended, for as long as this process lives. `prometheus_text` shows them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from gateway_lambda.server.exchange import Exchange
from gateway_lambda.server.recorded import HEALTH

FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
EACH_TOKEN = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
WHOLE = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
"""Upper limits of the buckets, in seconds. They are those of vLLM (vllm/v1/metrics/loggers.py), so that graphs of both
can be compared."""


class Histogram:
    """How many values there were up to each of `limits`, and above the last."""

    __slots__ = ("counts", "limits", "total")

    def __init__(self, limits: Sequence[float]) -> None:
        self.limits = limits
        self.counts = [0] * (len(limits) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value, in seconds."""
        self.counts[bisect_left(self.limits, value)] += 1
        self.total += value


class Tally:
    """The numbers of one model of a run."""

    __slots__ = ("completion_tokens", "each_token", "first_token", "prompt_tokens", "whole")

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.first_token = Histogram(FIRST_TOKEN)
        """From a request to the first token of its stream."""
        self.each_token = Histogram(EACH_TOKEN)
        """For each token of a stream after the first, on average."""
        self.whole = Histogram(WHOLE)
        """From a request to the end of its answer, if the model gave one and it came to its end."""


class Tallies:
    """The numbers of all runs. What tells them apart is known here: runs, models, routes, statuses."""

    def __init__(self, open_exchanges: set[Exchange]) -> None:
        self.open_exchanges = open_exchanges
        """The requests that are being answered now."""
        self.models: dict[tuple[str, str], Tally] = {}
        """By run and model."""
        self.requests: dict[tuple[str, str, str, int], int] = {}
        """By run, model, route and status, each of which can be empty or 0."""
        self.failed: dict[tuple[str, str], int] = {}
        """By run and model."""

    def note(self, exchange: Exchange) -> None:
        """Count a request that has ended."""
        if exchange.route == HEALTH:
            return
        run, model = exchange.run or "", exchange.model or ""
        request = (run, model, exchange.route, exchange.status)
        self.requests[request] = self.requests.get(request, 0) + 1
        if exchange.failed:
            self.failed[run, model] = self.failed.get((run, model), 0) + 1
        if not model:
            return
        tally = self.models.get((run, model))
        if tally is None:
            tally = self.models[run, model] = Tally()
        usage, ended, first = exchange.usage, exchange.ended, exchange.first_token
        answered = usage is not None or exchange.stream
        if answered and exchange.status == 200 and exchange.error is None and not exchange.client_left:
            tally.whole.observe(ended - exchange.begun)
        if first:
            tally.first_token.observe(first - exchange.begun)
        if usage is not None:
            tally.prompt_tokens += usage.prompt_tokens or 0
            count = usage.completion_tokens or 0
            tally.completion_tokens += count
            if first and count > 1:
                tally.each_token.observe((ended - first) / (count - 1))
