"""The values of a service's environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from infra.configuration import Problem, Secret, ServiceConfiguration
from infra.configuration.problem import NOTHING
from infra.planning.repository import TOKEN_VARIABLES

LARGEST_VALUE = 8192
"""Bytes of one value."""
LARGEST_ENVIRONMENT = 1_048_576
"""Bytes of all variables together: half of what Linux gives a process for its variables and arguments (8 MiB of stack,
of which these may be a quarter)."""
_READ_ON_THE_WAY = re.compile(
    r"PATH|HOME|_|IFS|EXECIGNORE|SHLVL|PWD|OLDPWD|UID|EUID|PPID|GROUPS|SHELLOPTS|POSIXLY_CORRECT|BASH.*|RANDOM|SRANDOM|SECONDS"
    r"|EPOCH(REALTIME|SECONDS)|LINENO|FUNCNAME|DIRSTACK|HISTCMD|COMP_.*|OPT(ARG|ERR|IND)|PIPESTATUS|LC_.*|LANG(UAGE)?"
    r"|LD_.*|GLIBC_TUNABLES|GO(DEBUG|GC|MEMLIMIT|MAXPROCS|TRACEBACK)|DOCKER_.*"
)
"""Variables that bash (manual, "Shell Variables"), the loader, Go's runtime or the docker command read or change."""


def resolve_environment(
    configuration: ServiceConfiguration, caller: Mapping[str, str], problems: list[Problem]
) -> dict[str, str | Secret]:
    """Every variable with its value, in the configuration's order.

    A bare name takes its value from the caller's environment, and is then a secret, as a Hub token always is. An
    empty value is none: there is nothing to hide, and Parameter Store takes no empty one.
    What is missing or cannot be carried is added to `problems`.
    """
    values: dict[str, str | Secret] = {}
    for name, value in configuration.env.items():
        line = _line(configuration, name)
        if value is None and name not in caller:
            problems.append(
                Problem(
                    where=f"env.{name}",
                    line=line,
                    found=NOTHING,
                    rule=f"{name} is named without a value, and is not set where this runs",
                    remedy=f"export {name}=… and run this again, or give the value: with --env {name}=…, or to a "
                    f"stack with `pulumi config set --secret --path env.{name} …`",
                )
            )
            continue
        resolved = Secret(caller[name]) if value is None else value
        if isinstance(resolved, str) and name in TOKEN_VARIABLES:
            resolved = Secret(resolved)
        if isinstance(resolved, Secret) and not resolved.reveal():
            resolved = ""
        if not _can_be_carried(resolved.reveal() if isinstance(resolved, Secret) else resolved):
            problems.append(
                Problem(
                    where=f"env.{name}",
                    line=line,
                    rule=f"a value is at most {LARGEST_VALUE} bytes of UTF-8, without a NUL character",
                    remedy="shorten it, or let the container fetch it from elsewhere",
                )
            )
        if isinstance(resolved, Secret) and is_read_on_the_way(name):
            problems.append(
                Problem(
                    where=f"env.{name}",
                    line=line,
                    rule=f"the shell or docker reads {name} itself, so it cannot carry a secret to the container",
                    remedy="give it another name, or a value that is no secret; one secret in stack config makes all "
                    "of its env secret, so write what is none into the configuration",
                )
            )
        values[name] = resolved
    _check_size(configuration, values, problems)
    return values


def is_read_on_the_way(name: str) -> bool:
    """Whether a variable cannot be in the environment of what starts the container, and is an argument instead."""
    return _READ_ON_THE_WAY.fullmatch(name) is not None


def _check_size(
    configuration: ServiceConfiguration, values: Mapping[str, str | Secret], problems: list[Problem]
) -> None:
    size = sum(
        len(name) + len((value.reveal() if isinstance(value, Secret) else value).encode(errors="replace"))
        for name, value in values.items()
    )
    if size > LARGEST_ENVIRONMENT:
        problems.append(
            Problem(
                where="env",
                line=configuration.source.line(("env",)),
                found=f"{len(values)} variables of {size:,} bytes",
                rule=f"all variables together have at most {LARGEST_ENVIRONMENT:,} bytes",
                remedy="let the container fetch the largest from elsewhere",
            )
        )


def _can_be_carried(value: str) -> bool:
    try:
        return "\0" not in value and len(value.encode()) <= LARGEST_VALUE
    except UnicodeEncodeError:  # bytes of the caller's environment that are no UTF-8
        return False


def _line(configuration: ServiceConfiguration, name: str) -> int | None:
    """Where a variable is written: a map has it by name, a list by its place."""
    lines = configuration.source.lines
    place = list(configuration.env).index(name)
    return lines.get(("env", name)) or lines.get(("env", place)) or configuration.source.line(("env",))


def hub_token(values: Mapping[str, str | Secret]) -> Secret | None:
    """The service's own Hub token; `None` where it has none, or an empty one."""
    for name in TOKEN_VARIABLES:
        value = values.get(name, "")
        token = value if isinstance(value, Secret) else Secret(value)
        if token.reveal():
            return token
    return None
