"""`make plan CONFIG=… [ARGS=…]`: show what a configuration would create and cost, without account and network."""

from __future__ import annotations

import os
import sys


def main(line: list[str]) -> int:
    """0 with a plan, 1 where there is none, 2 for a wrong command line."""
    try:
        # Imported here, so that a Ctrl-C while Python still reads modules ends without a traceback too.
        import io
        import shutil

        from commands.plan.arguments import read_arguments
        from commands.plan.progress import Progress

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that knows no … is no reason to fail
        arguments = read_arguments(line, os.environ)
        with Progress(_say) as progress:
            progress.stage("loading Pulumi's SDK")
            from commands.plan.planned import CannotPlan, plan_configuration
            from commands.plan.report import WIDTH, report
            from infra.configuration import ConfigurationError
            from infra.planning import resolve_with, unweighed_out_of_reach
            from infra.planning.hub import open_on_hub
            from infra.planning.hub_weights import weigh_on_hub

            try:
                planned = plan_configuration(
                    arguments.configuration,
                    arguments.settings,
                    stack=arguments.stack,
                    environment=os.environ,
                    resolve=resolve_with(open_on_hub(os.environ, pauses=())),
                    weigh=unweighed_out_of_reach(weigh_on_hub(os.environ, pauses=())),
                    stage=progress.stage,
                )
            except (ConfigurationError, CannotPlan) as error:
                _say(str(error))
                return 1
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
        print(report(planned, offers=arguments.offers, width=min(columns, WIDTH)), flush=True)
    except BrokenPipeError:
        # Whoever read the plan has gone; so that Python does not complain while it ends, it writes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
