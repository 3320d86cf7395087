"""`python -m infra.configuration FILE…`: each file's normalized configuration as a line of JSON, or its problems."""

from __future__ import annotations

import sys

from infra.configuration import ConfigurationError, load


def main(names: list[str]) -> int:
    """0 when every file holds a configuration, 1 when one does not, 2 when none is named."""
    if not names:
        print("usage: python -m infra.configuration FILE…", file=sys.stderr)
        return 2
    status = 0
    for name in names:
        try:
            configuration = load(name)
        except ConfigurationError as error:
            print(error, end="\n\n", file=sys.stderr)
            status = 1
        else:
            print(configuration.model_dump_json())
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
