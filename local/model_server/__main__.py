"""`python -m local.model_server`: stand-ins on 127.0.0.1, each service on a port of its own.

    python -m local.model_server --service '{"api": "tgi", "stands_in_for": "mistralai/Mistral-7B-Instruct-v0.1"}'

`Service` in services.py has the fields. Without `--service`, TGI's API is served. When everything serves, one line of
JSON goes to standard output:

    {"services": [{"stands_in_for": "mistralai/…", "url": "http://127.0.0.1:41231"}]}

SIGINT and SIGTERM end it, with status 0 once it serves. Status 1: a port is taken or weights are missing, which
standard error says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from local.cache import cache_folder
from local.model_server.services import Address, Service, read_service
from local.model_server.serving import serve
from local.model_server.standin import StandInMissing


def main() -> int:
    """Read the command line and serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.model_server", allow_abbrev=False)
    parser.add_argument("--service", action="append", type=read_service, metavar="JSON", help="a service; or several")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a GGUF file instead of the stand-in's own")
    parser.add_argument("--max-concurrent-requests", type=int, default=128, help="more are answered with 429")
    parser.add_argument("--verbose", action="store_true", help="let llama.cpp tell what it does, on standard error")
    given = parser.parse_args()
    try:
        serve(
            given.service or [Service()],
            weights=given.weights,
            cache=cache_folder(),
            max_concurrent_requests=given.max_concurrent_requests,
            verbose=given.verbose,
            ready=_announce,
        )
    except (OSError, StandInMissing) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _announce(addresses: Sequence[Address]) -> None:
    sys.stdout.write(msgspec.json.encode({"services": addresses}).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
