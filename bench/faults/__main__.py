"""`python -m bench.faults`: a row for each fault and format.

The status is 1 if a stream is cut without an error, arrives twice or has no end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.faults.asking import CUT, ENDS, NO_END
from bench.faults.cases import CASES, FORMATS, Case, Row, run_case
from bench.processes import BenchError


def main(arguments: list[str]) -> int:
    """Print each row when it is known, and return the exit status."""
    options = _parser().parse_args(arguments)
    columns = ["fault", "format", *ENDS, "repeated", "under way", "arrived there since", "slowest, s", "told"]
    _write(columns)
    _write(["---"] * len(columns))
    good = True
    for case in CASES:
        if options.only not in case.name:
            continue
        for format in FORMATS if options.format is None else (options.format,):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    row = run_case(case, format, Path(folder), streams=options.streams, at_once=options.at_once)
                except BenchError as problem:
                    sys.stderr.write(f"bench.faults: {problem}\n")
                    return 2
            _write(_cells(case, format, row))
            good = good and not (row.ends.counts[CUT] or row.ends.counts[NO_END] or row.repeated)
    return 0 if good else 1


def _cells(case: Case, format: str, row: Row) -> list[str]:
    told = ", ".join(f"{count} {code}" for code, count in row.ends.seen.most_common())
    counts = [str(row.ends.counts[end]) for end in ENDS]
    numbers = [str(row.repeated), str(row.under_way), str(row.at_failing), f"{row.ends.slowest:.1f}"]
    return [case.name, format, *counts, *numbers, told]


def _write(cells: list[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--streams", type=int, default=500, metavar="N", help="numbered streams a row")
    parser.add_argument("--at-once", type=int, default=25, metavar="N", help="streams under way at once")
    parser.add_argument("--format", choices=FORMATS, help="of one format alone")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose name has that text")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
