"""The tallies in Prometheus' text format (docs/gateway.md#metrics).

Names that begin with `vllm:` have vLLM's meaning, measured at the gateway. This module is imported at the first request
for it, because neither a function nor the start of a gateway needs prometheus_client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway_lambda.monitoring.tallies import Histogram, Tallies, Tally

_LABELS = ("model_name", "run")
_PROCESS = ProcessCollector(registry=None)


def metrics_text(tallies: Tallies, accept: str, may_see: Callable[[str], bool]) -> tuple[str, bytes]:
    """Return content type and text. `accept`: the request's header. `may_see`: whether the caller may see a run, by its
    name; requests without a run have none, and everybody may see their numbers."""
    encode, kind = choose_encoder(accept)
    return kind, encode(_Shown(tallies, may_see))


class _Shown(Collector):
    def __init__(self, tallies: Tallies, may_see: Callable[[str], bool]) -> None:
        self._tallies = tallies
        self._may_see = may_see

    def collect(self) -> Iterator[Metric]:
        """Return what `choose_encoder`'s functions write."""
        for family in self._families():
            family.samples = [each for each in family.samples if self._shows(each.labels.get("run", ""))]
            yield family
        yield from _PROCESS.collect()

    def _shows(self, run: str) -> bool:
        return not run or self._may_see(run)

    def _families(self) -> Iterator[Metric]:
        tallies = self._tallies
        requests = CounterMetricFamily(
            "servestack_requests", "Requests that have ended.", labels=(*_LABELS, "route", "code")
        )
        for (run, model, route, status), count in tallies.requests.items():
            requests.add_metric((model, run, route, str(status or "none")), count)
        yield requests
        failed = CounterMetricFamily(
            "servestack_request_errors", "Requests with a status from 500, and streams that were cut.", labels=_LABELS
        )
        for (run, model), count in tallies.failed.items():
            failed.add_metric((model, run), count)
        yield failed
        in_flight = GaugeMetricFamily(
            "servestack_requests_in_flight", "Requests that are being answered now.", labels=_LABELS
        )
        for (run, model), count in Counter((one.run or "", one.model or "") for one in tallies.open_exchanges).items():
            in_flight.add_metric((model, run), count)
        yield in_flight
        yield self._counts("vllm:prompt_tokens", "Tokens of prompts.", lambda tally: tally.prompt_tokens)
        yield self._counts("vllm:generation_tokens", "Tokens of answers.", lambda tally: tally.completion_tokens)
        yield self._times(
            "vllm:time_to_first_token_seconds", "To the first token of a stream.", lambda tally: tally.first_token
        )
        yield self._times(
            "vllm:request_time_per_output_token_seconds",
            "For each token of a stream after the first, on average.",
            lambda tally: tally.each_token,
        )
        yield self._times("vllm:e2e_request_latency_seconds", "To the end of an answer.", lambda tally: tally.whole)

    def _counts(self, name: str, text: str, of: Callable[[Tally], int]) -> Metric:
        family = CounterMetricFamily(name, text, labels=_LABELS)
        for (run, model), tally in self._tallies.models.items():
            family.add_metric((model, run), of(tally))
        return family

    def _times(self, name: str, text: str, of: Callable[[Tally], Histogram]) -> Metric:
        family = HistogramMetricFamily(name, text, labels=_LABELS)
        for (run, model), tally in self._tallies.models.items():
            found = of(tally)
            limits = [*(str(limit) for limit in found.limits), "+Inf"]
            family.add_metric((model, run), list(zip(limits, accumulate(found.counts), strict=True)), found.total)
        return family
