"""`python -m infra.configuration FILE…`: print each file's full configuration as a line of JSON, or its problems.

Configurations go to standard output. Reports, and `FILE: ok` for each file without a problem, go to standard error, so
that the output can be piped. Credentials are written as `***`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from infra.configuration.problem import ConfigurationError
from infra.configuration.reading import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 when every file holds a configuration, otherwise 1."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.configuration", description="Check configurations and print them in full."
    )
    parser.add_argument("file", nargs="+", help="a configuration, such as examples/mistral/serve.dstack.yml")
    reports = [_read(name) for name in parser.parse_args(arguments).file]
    return 1 if any(reports) else 0


def _read(name: str) -> bool:
    """Return whether a file has a problem."""
    try:
        configuration = load(name)
    except ConfigurationError as error:
        print(error, end="\n\n", file=sys.stderr, flush=True)
        return True
    print(json.dumps(configuration.model_dump(mode="json")), flush=True)
    print(f"{name}: ok", file=sys.stderr, flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
