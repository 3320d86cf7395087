"""What `/metrics` counts, under TGI's names, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

_DURATIONS = tuple(0.0001 * 1.5**power for power in range(1, 36))
"""Seconds: TGI's own buckets (router/src/server.rs)."""
_DURATION_TEXTS = {
    "duration": "Request duration",
    "validation_duration": "Request validation duration",
    "queue_duration": "Request queue duration",
    "inference_duration": "Request inference duration",
    "mean_time_per_token_duration": "Mean time per token per request",
}
_LENGTH_TEXTS = {
    "input_length": "Input token length per request",
    "generated_tokens": "Generated tokens per request",
    "max_new_tokens": "Maximum new tokens per request",
}
disable_created_metrics()


class Metrics:
    """Counters and histograms of one server. `largest` is the most tokens of a prompt and answer."""

    def __init__(self, largest: int) -> None:
        registry: Any = CollectorRegistry()
        lengths = tuple(largest / 100 * (place + 1) for place in range(100))
        self._registry = registry
        self._requests = Counter("tgi_request_count", "Total number of requests", registry=registry)
        self._successes = Counter("tgi_request_success", "Number of successful requests", registry=registry)
        self._failures = Counter("tgi_request_failure", "Number of failed requests", ["err"], registry=registry)
        self._waiting = Gauge("tgi_queue_size", "Current queue size", registry=registry)
        self._running = Gauge("tgi_batch_current_size", "Current batch size", registry=registry)
        self._histograms = {
            name: Histogram(f"tgi_request_{name}", text, buckets=buckets, registry=registry)
            for texts, buckets in ((_DURATION_TEXTS, _DURATIONS), (_LENGTH_TEXTS, lengths))
            for name, text in texts.items()
        }

    def count_request(self) -> None:
        """Count a request that came in."""
        self._requests.inc()

    def count_success(self) -> None:
        """Count an answer that was given to its end."""
        self._successes.inc()

    def count_failure(self, error: str) -> None:
        """Count a request that was refused or failed."""
        self._failures.labels(error).inc()

    def record(self, values: Mapping[str, float]) -> None:
        """Put values into the histograms `tgi_request_<name>`."""
        for name, value in values.items():
            self._histograms[name].observe(value)

    def render(self, *, running: int, waiting: int) -> str:
        """Return the text, with how many generations run and wait now."""
        self._running.set(running)
        self._waiting.set(waiting)
        # TGI's counters do not have the suffix that this library gives to every counter.
        return generate_latest(self._registry).decode().replace("_total", "")
