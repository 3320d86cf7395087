"""The measures. In each round, all contenders take turns.

Every function returns samples: by the name of a contender, a list with one value for each round. Ratios are calculated
round by round, and the median counts. So other work on the machine changes both sides of a ratio, or the median leaves
it out.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.accounting import cpu_seconds, resident_bytes
from bench.contenders import Contender
from bench.load import Job, Outcome
from bench.processes import BenchError, Generator

Samples = dict[str, list[float]]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Entry:
    """A contender that runs."""

    contender: Contender
    pid: int

    @property
    def name(self) -> str:
        return self.contender.name


@dataclass(frozen=True)
class Effort:
    """How much is sent. The default run takes about three minutes. Tests send less."""

    rounds: int = 9
    plain: int = 400
    """Plain requests a round, less for contenders with a smaller share."""
    streams: int = 160
    """Streams of 64 tokens a round; a fifth of that of long ones."""
    long_stream: int = 1024
    paced_tokens: int = 64
    first_tokens: int = 60
    seconds: float = 1.0
    """Of each measurement of requests a second."""
    crowd: int = 500
    """Streams at once."""
    memory_requests: int = 100_000
    memory_seconds: float = 40.0


class Measuring:
    """Measures the entries with one load generator."""

    def __init__(self, generator: Generator, effort: Effort, say: Callable[[str], None]) -> None:
        self._generator = generator
        self._effort = effort
        self._say = say

    def plain_cpu(self, entries: Sequence[Entry]) -> Samples:
        """Return the CPU seconds of a plain request, with eight at once."""
        jobs = {e.name: self._plain(e, connections=8, count=self._effort.plain) for e in entries}
        return self._rounds("plain requests", entries, lambda e: self._cpu(e, jobs[e.name]))

    def embeddings_cpu(self, entries: Sequence[Entry]) -> Samples:
        """Return the CPU seconds of a request for the embeddings of 256 texts, whose answer has 1 MB, with four at
        once."""
        count = max(4, self._effort.plain // 8)
        jobs = {e.name: e.contender.embeddings(connections=4, count=count) for e in entries}
        return self._rounds("embeddings of 256 texts", entries, lambda e: self._cpu(e, jobs[e.name]))

    def token_cpu(self, entries: Sequence[Entry], tokens: int) -> Samples:
        """Return the CPU seconds of a streamed token, with its part of the stream's beginning and end.

        The upstream writes as fast as it can, and every contender works without a pause.
        """
        count = self._effort.streams * 64 // min(tokens, 64 * 5)
        jobs = {e.name: self._streams(e, tokens, 0, max(2, round(count * e.contender.share))) for e in entries}
        samples = self._rounds(f"streams of {tokens} tokens", entries, lambda e: self._cpu(e, jobs[e.name]))
        return {name: [value / tokens for value in values] for name, values in samples.items()}

    def paced_token_cpu(self, entries: Sequence[Entry]) -> Samples:
        """Return the CPU seconds of a streamed token when streams get one every 20 ms, as from a model server.

        Each token then needs its own wake-up, read and write. These cost the same for all contenders, and are most of
        what the byte copy costs. So the ratios are small here.
        """
        tokens, at_once = self._effort.paced_tokens, 16
        jobs = {e.name: self._streams(e, tokens, 20, at_once, at_once) for e in entries}
        samples = self._rounds(
            f"streams of {tokens} tokens, one each 20 ms",
            entries,
            lambda e: self._cpu(e, jobs[e.name]),
            min(2, self._effort.rounds),
        )
        return {name: [value / tokens for value in values] for name, values in samples.items()}

    def first_token(self, entries: Sequence[Entry]) -> dict[str, list[list[float]]]:
        """Return the seconds to the first token of streams, one at a time: all values of each round."""

        def measure(entry: Entry) -> list[float]:
            return self._generator.run(entry.contender.stream(2, 1, count=self._effort.first_tokens)).first

        return self._rounds("time to first token", entries, measure)

    def rate(self, entries: Sequence[Entry], at_once: int) -> Samples:
        """Return the plain requests a second."""

        def measure(entry: Entry) -> float:
            job = entry.contender.plain(connections=at_once, seconds=self._effort.seconds)
            outcome = self._generator.run(job)
            return outcome.count / outcome.seconds

        return self._rounds(f"requests a second, {at_once} at once", entries, measure, min(2, self._effort.rounds))

    def fairness(self, entry: Entry) -> list[float]:
        """Return the slowest time to the first token, divided by the median time, when many streams begin at once."""
        crowd = self._effort.crowd
        job = entry.contender.stream(8, 50, connections=crowd, count=crowd)

        def measure(_: Entry) -> float:
            first = self._generator.run(job).first
            return max(first) / statistics.median(first)

        return self._rounds(f"{crowd} streams at once", [entry], measure, min(3, self._effort.rounds))[entry.name]

    def memory_growth(self, entry: Entry) -> tuple[int, float]:
        """Return how many requests were sent, and by how many bytes the resident memory grew in that time."""
        self._say(f"memory over {self._effort.memory_requests} requests, at most {self._effort.memory_seconds:g} s")
        warm = self._effort.memory_requests // 20
        self._generator.run(entry.contender.plain(connections=32, count=max(32, warm)))
        before = resident_bytes(entry.pid)
        job = entry.contender.plain(
            connections=32, count=self._effort.memory_requests, seconds=self._effort.memory_seconds
        )
        outcome = self._generator.run(job)
        return outcome.count, resident_bytes(entry.pid) - before

    def _plain(self, entry: Entry, *, connections: int, count: int) -> Job:
        return entry.contender.plain(
            connections=connections, count=max(connections, round(count * entry.contender.share))
        )

    def _streams(self, entry: Entry, tokens: int, milliseconds: int, count: int, connections: int = 8) -> Job:
        return entry.contender.stream(tokens, milliseconds, connections=min(connections, count), count=count)

    def _cpu(self, entry: Entry, job: Job) -> float:
        before = cpu_seconds(entry.pid)
        outcome: Outcome = self._generator.run(job)
        return (cpu_seconds(entry.pid) - before) / outcome.count

    def _rounds(
        self, what: str, entries: Sequence[Entry], measure: Callable[[Entry], Value], rounds: int | None = None
    ) -> dict[str, list[Value]]:
        count = rounds or self._effort.rounds
        samples: dict[str, list[Value]] = {entry.name: [] for entry in entries}
        for number in range(count):
            self._say(f"{what}, round {number + 1} of {count}")
            turn = number % len(entries)
            for entry in [*entries[turn:], *entries[:turn]]:
                samples[entry.name].append(measure(entry))
        return samples


def import_cpu(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Return the CPU seconds of importing an application: those of `command`, minus those of a Python that does
    nothing."""
    bare = min(_child_cpu([command[0], "-c", "pass"], env) for _ in range(2))
    first = _child_cpu(command, env)
    return (first if first > _SLOW_IMPORT else min(first, _child_cpu(command, env))) - bare


_SLOW_IMPORT = 2.0
"""CPU seconds beyond which an import is measured once: it then hardly varies."""


def ratio(samples: Mapping[str, Sequence[float]], name: str, to: str) -> float:
    """Return the median over the rounds: the value of `name`, divided by the value of `to`."""
    return statistics.median(a / b for a, b in zip(samples[name], samples[to], strict=True))


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that `part` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)]


def _child_cpu(command: Sequence[str], env: Mapping[str, str]) -> float:
    child = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise BenchError(f"{command} ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime
