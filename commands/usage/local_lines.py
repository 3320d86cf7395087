"""The request lines that `make local` writes into a file, in groups as the query on AWS makes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import msgspec
from msgspec import field

from commands.usage.requests import By, Requests


class _Metadata(msgspec.Struct, frozen=True):
    time: int = field(name="Timestamp")


class Line(msgspec.Struct, frozen=True):
    """A request line, without the members that nobody counts."""

    metadata: _Metadata = field(name="_aws")
    request_id: str
    requests: int = field(name="Requests")
    errors: int = field(name="Errors", default=0)
    prompt_tokens: int | None = field(name="PromptTokens", default=None)
    completion_tokens: int | None = field(name="CompletionTokens", default=None)
    ttft: float | None = field(name="TimeToFirstToken", default=None)
    run: str | None = field(name="Run", default=None)
    key: str | None = None
    model: str | None = None

    @property
    def day(self) -> str:
        """The day in UTC."""
        return f"{datetime.fromtimestamp(self.metadata.time / 1000, UTC):%Y-%m-%d}"


@dataclass(frozen=True, kw_only=True)
class Read:
    """What the files say."""

    lines: tuple[Line, ...]
    broken: int
    """Lines that are not request lines, for example one of which the end is missing."""


def read_lines(files: Iterable[Path], begin: datetime) -> Read:
    """Return the request lines of files since `begin`. A file that does not exist has none: no request has come."""
    lines: list[Line] = []
    broken = 0
    for text in _texts(files):
        try:
            line = msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError:
            broken += 1
            continue
        if line.metadata.time >= begin.timestamp() * 1000:
            lines.append(line)
    return Read(lines=tuple(lines), broken=broken)


def grouped(lines: Iterable[Line], by: By) -> tuple[Requests, ...]:
    """Return the groups of lines."""
    groups: dict[str | None, list[Line]] = defaultdict(list)
    for line in lines:
        groups[getattr(line, by)].append(line)
    return tuple(_group(name, found) for name, found in groups.items())


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that is not below `percent` % of all; `None`: there is no value."""
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1] if values else None


def _texts(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        try:
            with file.open("rb") as lines:
                yield from (line for line in lines if line.strip())
        except FileNotFoundError:
            continue


def _group(name: str | None, lines: Sequence[Line]) -> Requests:
    prompts = [line.prompt_tokens for line in lines if line.prompt_tokens is not None]
    completions = [line.completion_tokens for line in lines if line.completion_tokens is not None]
    firsts = [line.ttft for line in lines if line.ttft is not None]
    return Requests(
        name=name,
        requests=sum(line.requests for line in lines),
        errors=sum(line.errors for line in lines),
        prompt_tokens=sum(prompts) if prompts else None,
        completion_tokens=sum(completions) if completions else None,
        ttft_p50=percentile(firsts, 50),
        ttft_p95=percentile(firsts, 95),
        durations={},
    )
