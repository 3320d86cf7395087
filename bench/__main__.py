"""`python -m bench`: measure, print a table, write JSON into bench/results/. Status 1 when a target is missed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bench.measures import Effort
from bench.processes import BenchError
from bench.report import as_json, table, target_table
from bench.running import Result, run

RESULTS = Path(__file__).parent / "results"
QUICK = Effort(
    rounds=1,
    plain=24,
    streams=5,
    long_stream=96,
    paced_tokens=4,
    first_tokens=3,
    seconds=0.1,
    crowd=20,
    memory_requests=200,
    memory_seconds=2.0,
)
"""To see that everything runs; its figures mean nothing."""


def main(arguments: list[str]) -> int:
    """Run the bench; the exit status."""
    options = _parser().parse_args(arguments)
    begun = time.monotonic()

    def say(what: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - begun:4.0f} s] {what}\n")
        sys.stderr.flush()

    effort = QUICK if options.quick else replace(Effort(), rounds=options.rounds)
    try:
        result = run(effort, peers=not options.no_peers, passthrough=not options.no_passthrough, say=say)
    except BenchError as problem:
        sys.stderr.write(f"bench: {problem}\n")
        return 2
    say("done")
    sys.stdout.write(f"{table(result.rows, result.names)}\n\n{target_table(result.targets)}\n")
    sys.stdout.write(f"\n{_write(result, options.results)}\n")
    return 0 if options.quick or all(target.met for target in result.targets) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Effort().rounds, metavar="N", help="rounds of each measure")
    parser.add_argument(
        "--quick", action="store_true", help="only see that everything runs: seconds, no usable figures"
    )
    parser.add_argument("--no-peers", action="store_true", help="leave out dstack and LiteLLM")
    parser.add_argument("--no-passthrough", action="store_true", help="leave out format openai")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the JSON goes")
    return parser


def _write(result: Result, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now():%Y-%m-%dT%H-%M-%S}.json"
    content = as_json(result.rows, result.targets, result.samples, result.machine)
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
