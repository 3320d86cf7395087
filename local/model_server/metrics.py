"""What `/metrics` counts, under TGI's names, in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

_DURATIONS = tuple(0.0001 * 1.5**power for power in range(1, 36))
"""Seconds: TGI's own buckets (router/src/server.rs)."""


class Metrics:
    """Counters and histograms of one server. `largest` is the most tokens of a prompt and answer."""

    def __init__(self, largest: int) -> None:
        lengths = tuple(largest / 100 * (place + 1) for place in range(100))
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._histograms = {
            "tgi_request_duration": _Histogram("Request duration", _DURATIONS),
            "tgi_request_validation_duration": _Histogram("Request validation duration", _DURATIONS),
            "tgi_request_queue_duration": _Histogram("Request queue duration", _DURATIONS),
            "tgi_request_inference_duration": _Histogram("Request inference duration", _DURATIONS),
            "tgi_request_mean_time_per_token_duration": _Histogram("Mean time per token per request", _DURATIONS),
            "tgi_request_input_length": _Histogram("Input token length per request", lengths),
            "tgi_request_generated_tokens": _Histogram("Generated tokens per request", lengths),
            "tgi_request_max_new_tokens": _Histogram("Maximum new tokens per request", lengths),
        }

    def count_request(self) -> None:
        """A request came in."""
        self._counts["tgi_request_count"] += 1

    def count_success(self) -> None:
        """An answer was given to its end."""
        self._counts["tgi_request_success"] += 1

    def count_failure(self, error: str) -> None:
        """A request was refused or failed."""
        self._failures[error] += 1

    def record(self, values: Mapping[str, float]) -> None:
        """Put values into the histograms `tgi_request_<name>`."""
        for name, value in values.items():
            self._histograms[f"tgi_request_{name}"].add(value)

    def render(self, *, running: int, waiting: int) -> str:
        """The text, with how many generations run and wait now."""
        lines: list[str] = []
        for name, text in (
            ("tgi_request_count", "Total number of requests"),
            ("tgi_request_success", "Number of successful requests"),
        ):
            lines += [f"# HELP {name} {text}", f"# TYPE {name} counter", f"{name} {self._counts[name]}", ""]
        lines += ["# TYPE tgi_request_failure counter"]
        lines += [f'tgi_request_failure{{err="{error}"}} {count}' for error, count in sorted(self._failures.items())]
        lines += [""]
        for name, text, value in (
            ("tgi_queue_size", "Current queue size", waiting),
            ("tgi_batch_current_size", "Current batch size", running),
        ):
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}", ""]
        for name, histogram in self._histograms.items():
            lines += [*histogram.render(name), ""]
        return "\n".join(lines)


class _Histogram:
    def __init__(self, text: str, bounds: Sequence[float]) -> None:
        self._text = text
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def render(self, name: str) -> list[str]:
        lines = [f"# HELP {name} {self._text}", f"# TYPE {name} histogram"]
        total = 0
        for bound, count in zip((*map(repr, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self._sum!r}", f"{name}_count {total}"]
