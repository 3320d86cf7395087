"""`python -m local CONFIG…`: serve configurations on this machine until Ctrl-C."""

from __future__ import annotations

import sys


def main(line: list[str]) -> int:
    """Return 0 if the user ended it, 1 if it could not start or a part of it died, 2 for a wrong command line."""
    try:
        # Imported here, so that a Ctrl-C while Python still reads modules ends without a traceback too.
        import io
        import os

        from local.arguments import read_arguments

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # not every terminal has the character …
        arguments = read_arguments(line)
        print(f"Reading {', '.join(arguments.configurations)} …", flush=True)
        from local.children import ChildDied
        from local.launcher import CannotStart, serve
        from local.serving import Stopped

        try:
            serve(arguments, os.environ, sys.stdout)
        except Stopped:
            print("\nEnded.", flush=True)
        except BrokenPipeError:
            # The reader of the banner has gone. Python would complain while it ends, so it writes to nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (*CannotStart, ChildDied) as error:
            print(error, file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
