"""`python -m local.model_server`: the stand-in model on 127.0.0.1, for one service or several out of one loaded model.

    python -m local.model_server --stands-in-for mistralai/Mistral-7B-Instruct-v0.1 --port 0

Each --stands-in-for is a service on a port of its own; the n-th --port is its port, and 0 or none is any free one. When
it serves, it writes one line of JSON to standard output:

    {"model_id": "HuggingFaceTB/SmolLM2-135M-Instruct",
     "services": [{"stands_in_for": "mistralai/…", "url": "http://127.0.0.1:41231"}]}

SIGINT and SIGTERM end it, with status 0 once it serves. Status 1: a port is taken or the weights are missing, which
standard error says.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from itertools import zip_longest

from local.model_server.serving import Address, Service, default_limits, serve
from local.model_server.standin import MODEL_ID, StandInMissing


def main() -> int:
    """Read the command line and serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local.model_server", allow_abbrev=False)
    parser.add_argument("--stands-in-for", action="append", default=[], metavar="NAME", help="a configured model")
    parser.add_argument("--port", action="append", default=[], type=int, help="a port of 127.0.0.1 (0: any free one)")
    parser.add_argument("--max-concurrent-requests", type=int, default=128, help="more are answered with 429")
    parser.add_argument("--verbose", action="store_true", help="let llama.cpp tell what it does, on standard error")
    given = parser.parse_args()
    names: list[str | None] = given.stands_in_for or [None]
    if len(given.port) > len(names):
        parser.error(f"{len(given.port)} --port for {len(names)} services: one for each --stands-in-for at most")
    services = [Service(name, port or 0) for name, port in zip_longest(names, given.port)]
    try:
        serve(services, limits=default_limits(given.max_concurrent_requests), verbose=given.verbose, ready=_announce)
    except (OSError, StandInMissing) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _announce(addresses: Sequence[Address]) -> None:
    line = json.dumps({"model_id": MODEL_ID, "services": [dataclasses.asdict(one) for one in addresses]})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
