"""A whole run: start all contenders, measure them, compare with the targets."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench import contenders
from bench.accounting import resident_bytes
from bench.cold_start import cold_start
from bench.contenders import Contender
from bench.measures import Effort, Entry, Measuring, Samples, import_cpu, percentile, ratio
from bench.processes import Generator, canned_upstream, load_generator, running, wait_for_answer
from bench.report import Row, Target, medians
from local.serving import free_port

GATEWAY: Final = "gateway"
COPY: Final = "byte copy"
OWN_COPY: Final = "byte copy, own client"
PASSTHROUGH: Final = "gateway, format openai"
OPENAI_COPY: Final = "byte copy, OpenAI"
MANY: Final = "gateway, 1,000 services"
NO_LINES: Final = "gateway, no request lines"
LIMITED: Final = "gateway, keys with limits"
_MANY_SERVICES: Final = 500
"""In each of the two formats."""


@dataclass(frozen=True)
class Result:
    """The result of a run. Rows are in seconds, bytes and requests a second."""

    rows: dict[str, Row]
    targets: list[Target]
    samples: dict[str, Any]
    machine: dict[str, Any]
    names: list[str]


def run(effort: Effort, *, peers: bool, passthrough: bool, say: Callable[[str], None]) -> Result:
    """Start all contenders that are installed, and measure them. Raises `BenchError` if one answers wrongly."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="servestack-bench-")))
        upstream, _ = stack.enter_context(canned_upstream())
        generator = stack.enter_context(load_generator())
        started = _Starting(stack, folder, generator, say)
        # Each port is looked for only when its server starts: until then, another program can take it.
        makers: list[Callable[[], Contender | None]] = [
            lambda: contenders.copying(upstream, free_port(), "aiohttp", COPY),
            lambda: contenders.copying(upstream, free_port(), "own", OWN_COPY),
            lambda: contenders.gateway(upstream, free_port(), folder / "registry.json"),
            lambda: contenders.dstack(upstream, free_port()) if peers else None,
            lambda: contenders.litellm(upstream, free_port(), folder / "litellm.json") if peers else None,
        ]
        entries = [started.start(contender) for make in makers if (contender := make()) is not None]
        many = started.start(
            contenders.gateway(upstream, free_port(), folder / "many.json", services=_MANY_SERVICES, name=MANY)
        )
        without = started.start(
            contenders.gateway(upstream, free_port(), folder / "no-lines.json", name=NO_LINES, lines=False)
        )
        limited = started.start(
            contenders.gateway(upstream, free_port(), folder / "limits.json", name=LIMITED, limits=True)
        )
        direct = Entry(contenders.direct(upstream), 0)
        variants = [many, without, limited]
        return _measure(
            Measuring(generator, effort, say), entries, direct, variants, started.seconds, passthrough, effort
        )


class _Starting:
    """Starts servers, and notes how long each one took until its first answer."""

    def __init__(
        self, stack: contextlib.ExitStack, folder: Path, generator: Generator, say: Callable[[str], None]
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._generator = generator
        self._say = say
        self.seconds: dict[str, float] = {}

    def start(self, contender: Contender) -> Entry:
        self._say(f"starting {contender.name}")
        log = self._folder / f"{contender.port}.log"
        begun = time.monotonic()
        child = self._stack.enter_context(running(contender.command, log, contender.env))
        wait_for_answer(child, log, contender.plain(count=1), self._generator, contender.start_within)
        self.seconds[contender.name] = time.monotonic() - begun
        self._generator.run(contender.stream(4, 1, count=4))
        self._generator.run(contender.plain(connections=4, count=20))
        return Entry(contender, child.pid)


def _measure(
    measuring: Measuring,
    entries: list[Entry],
    direct: Entry,
    variants: list[Entry],
    start: Mapping[str, float],
    passthrough: bool,
    effort: Effort,
) -> Result:
    by_name = {entry.name: entry for entry in entries}
    names = list(by_name)
    gateway = by_name[GATEWAY]
    extra = _openai_entries(by_name) if passthrough else []
    long = effort.long_stream
    samples: dict[str, Samples] = {
        "plain_cpu": measuring.plain_cpu([*entries, *extra, *variants]),
        "token_cpu_64": measuring.token_cpu([*entries, *extra], 64),
        "token_cpu_1024": measuring.token_cpu([*entries, *extra], long),
        "paced_token_cpu": measuring.paced_token_cpu([*entries, *extra]),
        "rate_8": measuring.rate(entries, 8),
        "rate_64": measuring.rate(entries, 64),
    }
    if extra:
        samples["embeddings_cpu"] = measuring.embeddings_cpu(extra)
    rows: dict[str, Row] = {key: medians(values) for key, values in samples.items()}
    firsts = measuring.first_token([direct, *entries])
    flat = {name: [value for values in rounds for value in values] for name, rounds in firsts.items()}
    for key, part in (("first_token_p50", 0.5), ("first_token_p99", 0.99)):
        base = percentile(flat[direct.name], part)
        rows[key] = {name: percentile(flat[name], part) - base for name in names}
    rows["memory"] = {entry.name: resident_bytes(entry.pid) for entry in entries}
    fairness = measuring.fairness(gateway)
    rows["memory_after_crowd"] = {GATEWAY: resident_bytes(gateway.pid)}
    requests, growth = measuring.memory_growth(gateway)
    rows["start"] = {name: start[name] for name in names}
    rows["import_cpu"] = {
        entry.name: import_cpu(entry.contender.imports, entry.contender.env)
        for entry in entries
        if entry.contender.imports
    }
    targets = _targets(rows, samples, passthrough)
    cold = cold_start(effort.rounds)
    if cold is not None:
        rows["cold_start"] = {GATEWAY: cold}
        targets.append(Target("cold start to first byte behind the web adapter", cold, 0.6, "s"))
    targets.append(Target("slowest first token of all streams at once / median", statistics.median(fairness), 3))
    targets.append(
        Target(f"memory growth over 100,000 requests ({requests:,} sent)", growth * 1e5 / requests / 1e6, 1, "MB")
    )
    return Result(rows, targets, {**samples, "first_token": firsts}, _machine(), [*names, *(e.name for e in extra)])


def _openai_entries(by_name: Mapping[str, Entry]) -> list[Entry]:
    """The same gateway and byte copy, with requests for a model whose server has OpenAI's API."""
    gateway, copy = by_name[GATEWAY], by_name[COPY]
    path = gateway.contender.plain_path
    return [
        replace(
            copy,
            contender=replace(copy.contender, name=OPENAI_COPY, format="openai", plain_path=path, stream_path=path),
        ),
        replace(gateway, contender=replace(gateway.contender, name=PASSTHROUGH, model="openai-0")),
    ]


def _targets(rows: Mapping[str, Row], samples: Mapping[str, Samples], passthrough: bool) -> list[Target]:
    """The targets for the gateway, compared with others. Those of peers that are not installed are left out."""
    plain, token, long = (samples[key] for key in ("plain_cpu", "token_cpu_64", "token_cpu_1024"))
    targets: list[Target] = []
    for peer, plain_part, token_part in (("dstack", 12, 8), ("LiteLLM", 30, 40)):
        if peer in plain:
            targets.append(Target(f"plain request, CPU / {peer}'s", ratio(plain, GATEWAY, peer), 1 / plain_part))
            targets.append(Target(f"streamed token, CPU / {peer}'s", ratio(token, GATEWAY, peer), 1 / token_part))
            targets.append(Target(f"long stream's token, CPU / {peer}'s", ratio(long, GATEWAY, peer), 1 / token_part))
    targets.append(Target("plain request, CPU / byte copy's", ratio(plain, GATEWAY, COPY), 2.5))
    targets.append(Target("streamed token, CPU / byte copy's", ratio(token, GATEWAY, COPY), 2.5))
    targets.append(Target("long stream's token, CPU / byte copy's", ratio(long, GATEWAY, COPY), 2.5))
    if passthrough:
        for title, values in (("plain request", plain), ("streamed token", token), ("long stream's token", long)):
            targets.append(
                Target(f"format openai: {title}, CPU / byte copy's", ratio(values, PASSTHROUGH, OPENAI_COPY), 1.3)
            )
        embeddings = ratio(samples["embeddings_cpu"], PASSTHROUGH, OPENAI_COPY)
        targets.append(Target("format openai: 256 embeddings, CPU / byte copy's", embeddings, 1.3))
    first = rows["first_token_p50"]
    if "dstack" in first:
        targets.append(Target("added time to first token / dstack's", first[GATEWAY] / first["dstack"], 1 / 3))
    targets.append(Target("resident memory", rows["memory"][GATEWAY] / 1e6, 60, "MB"))
    targets.append(Target("CPU of importing the application", rows["import_cpu"][GATEWAY], 0.35, "s"))
    targets.append(
        Target(
            "token of a 1,024-token stream / of a 64-token one",
            rows["token_cpu_1024"][GATEWAY] / rows["token_cpu_64"][GATEWAY],
            1.1,
        )
    )
    targets.append(Target("plain request with 1,000 services / with one", ratio(plain, MANY, GATEWAY), 1.1))
    targets.append(Target("plain request with its request line / without", ratio(plain, GATEWAY, NO_LINES), 1.1))
    targets.append(Target("plain request of a key with limits / without", ratio(plain, LIMITED, GATEWAY), 1.1))
    return targets


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "libraries": {
            name: version(name) for name in ("uvicorn", "uvloop", "httptools", "aiohttp", "msgspec", "jinja2")
        },
    }
