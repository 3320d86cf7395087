"""`make smoke STACK=…`: test a deployed service from outside, and print a table to paste."""

from __future__ import annotations

import os
import sys


def main(line: list[str]) -> int:
    """Return 0 if nothing failed, 1 if a check failed or nothing could be tested, 2 for a wrong command line."""
    try:
        # Imported here, so that a Ctrl-C while Python still reads modules ends without a traceback too.
        from datetime import UTC, datetime

        from commands.smoke.arguments import read_arguments

        arguments = read_arguments(line, os.environ)
        _say(f"Reading the outputs of the stack {arguments.stack} …" if arguments.url is None else "Starting …")
        from commands.pulumi_cli import PulumiError, run_pulumi
        from commands.smoke.target import CannotTry, target_at, target_of_stack

        try:
            if arguments.url is None:
                target = target_of_stack(arguments.stack or "", run_pulumi, key=arguments.key)
            else:
                target = target_at(
                    arguments.url,
                    openai_base_url=arguments.openai_base_url,
                    model=arguments.model,
                    key=arguments.key,
                )
        except (CannotTry, PulumiError) as error:
            _say(str(error))
            return 1
        from commands.smoke.checks import checks, run
        from commands.smoke.report import report

        asked = checks(
            target,
            health=arguments.health,
            no_content=arguments.no_content,
            stream_seconds=arguments.stream_seconds,
            say=_say,
        )
        outcomes = run(target, asked, _say)
        print(report(target, outcomes, at=datetime.now(UTC)), flush=True)
        return 1 if any(outcome.result == "FAILED" for outcome in outcomes) else 0
    except KeyboardInterrupt:
        return 130


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
