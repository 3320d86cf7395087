"""The plans of all configurations of a command line, one after the other."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable

from commands.plan.arguments import Arguments
from commands.plan.planned import CannotPlan, plan_configuration, settings_of
from commands.plan.report import WIDTH, report
from infra.configuration import ConfigurationError
from infra.planning import resolve_with, unweighed_out_of_reach
from infra.planning.hub import open_on_hub
from infra.planning.hub_weights import weigh_on_hub


def plan_all(arguments: Arguments, *, stage: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Print a report for each configuration, and return the exit status. A configuration without a plan does not hide
    the others.

    `stage` takes a description of the next step; `say` takes the report of a configuration that has no plan.
    """
    columns = min(shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH, WIDTH)
    failed = False
    for index, path in enumerate(arguments.configurations):
        try:
            planned = plan_configuration(
                path,
                settings_of(path, arguments.configurations, arguments.settings),
                stack=arguments.stack,
                name=arguments.name,
                environment=os.environ,
                resolve=resolve_with(open_on_hub(os.environ, pauses=())),
                weigh=unweighed_out_of_reach(weigh_on_hub(os.environ, pauses=())),
                stage=stage,
            )
        except (ConfigurationError, CannotPlan) as error:
            say(str(error))
            failed = True
            continue
        text = report(planned, offers=arguments.offers, width=columns)
        print(f"\n{'─' * columns}\n\n{text}" if index else text, flush=True)
    return 1 if failed else 0
