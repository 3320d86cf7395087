"""`python -m tests.clients.call PROGRAM NAME…`: call functions of a client's program; print what they return, as JSON.

It runs in the environment of the client, so it needs only the standard library.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import runpy
import sys

from tests.support import loopback


def main(program: str, *names: str) -> None:
    """Print one JSON object: the name of each function and its result."""
    loopback.hold()
    functions = runpy.run_path(program)
    results = {}
    for name in names:
        result = functions[name]()
        results[name] = asyncio.run(result) if inspect.iscoroutine(result) else result
    print(json.dumps(results, separators=(",", ":")))


if __name__ == "__main__":
    main(*sys.argv[1:])
