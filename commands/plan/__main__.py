"""`make plan CONFIG=… [ARGS=…]`: show what configurations would create and cost, without account and network."""

from __future__ import annotations

import os
import sys

from commands.closed_output import discard_output


def main(line: list[str]) -> int:
    """Return 0 if every configuration has a plan, 1 if one has none, and 2 for a wrong command line."""
    try:
        # Imported here, so that a Ctrl-C while Python still reads modules ends without a traceback too.
        import io

        from commands.plan.arguments import read_arguments

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # not every terminal has the character …
        arguments = read_arguments(line, os.environ)
        _stage("Loading Pulumi's SDK")
        from commands.plan.planning import plan_all

        return plan_all(arguments, stage=_stage, say=_say)
    except BrokenPipeError:
        discard_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _stage(what: str) -> None:
    _say(f"{what} …")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
