"""`python -m tests.hostile.fuzz`: odd cases against the application, for a time, within a memory limit.

What is found is printed as a file for `tests/hostile/corpus`, which `make test` tries again from then on. A run can be
had again by its seed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.hostile.arena import Arena, Case
from tests.hostile.seeds import odd_case

_MEMORY = 512 * 1024 * 1024
"""Bytes of private memory for all of it: the application, its upstream, the reader of configurations, the cases."""
_MOST_PRINTED = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="where chance begins (default: anywhere)")
    chosen = parser.parse_args(arguments)
    seed = time.time_ns() % 1_000_000 if chosen.seed is None else chosen.seed
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    tried, found = asyncio.run(_fuzz(seed, chosen.seconds))
    for case, wrong in found[:_MOST_PRINTED]:
        print(json.dumps({"what": wrong[0], **case}, indent=1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(tried.items()))
    print(f"seed {seed}: {kinds}; {len(found)} findings; {peak} MB", file=sys.stderr)
    return 1 if found else 0


async def _fuzz(seed: int, seconds: float) -> tuple[Counter[str], list[tuple[Case, list[str]]]]:
    random = Random(seed)
    tried: Counter[str] = Counter()
    found: list[tuple[Case, list[str]]] = []
    known: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder))
        await arena.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            case = odd_case(random)
            tried[case["kind"]] += 1
            wrong = await arena.wrong(case)
            if wrong and wrong[0][:60] not in known:
                known.add(wrong[0][:60])
                found.append((case, wrong))
        await arena.close()
    return tried, found


if __name__ == "__main__":
    sys.exit(main())
