"""The values of a service's environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from infra.configuration import Problem, Secret, ServiceConfiguration, fill_environment
from infra.configuration.problem import NOTHING
from infra.planning.repository import TOKEN_VARIABLES

LARGEST_VALUE = 8192
"""The most bytes of one value."""
LARGEST_ENVIRONMENT = 1_048_576
"""The most bytes of all variables together: half of what Linux allows for the variables and arguments of a process (a
quarter of 8 MiB of stack)."""
_READ_ON_THE_WAY = re.compile(
    r"PATH|HOME|_|IFS|EXECIGNORE|SHLVL|PWD|OLDPWD|UID|EUID|PPID|GROUPS|SHELLOPTS|POSIXLY_CORRECT|BASH.*|RANDOM|SRANDOM|SECONDS"
    r"|EPOCH(REALTIME|SECONDS)|LINENO|FUNCNAME|DIRSTACK|HISTCMD|COMP_.*|OPT(ARG|ERR|IND)|PIPESTATUS|LC_.*|LANG(UAGE)?"
    r"|LD_.*|GLIBC_TUNABLES|GO(DEBUG|GC|MEMLIMIT|MAXPROCS|TRACEBACK)|DOCKER_.*"
)
"""Variables that bash (manual, "Shell Variables"), the loader, Go's runtime or the docker command reads or changes."""


def resolve_environment(
    configuration: ServiceConfiguration,
    caller: Mapping[str, str],
    secrets: Mapping[str, Secret],
    problems: list[Problem],
) -> dict[str, str | Secret]:
    """Return every variable with its value, in the order of the configuration.

    A name without a value gets its value from the caller's environment, and is a secret. A value that refers to a
    secret is one, and a Hub token always is. An empty value is not a secret: it hides nothing, and Parameter Store does
    not accept it. Missing values, and values that cannot reach the container, are added to `problems`.
    """
    given: dict[str, str | Secret] = {}
    for name, value in configuration.env.items():
        if value is not None:
            given[name] = value
        elif name in caller:
            given[name] = Secret(caller[name])
        else:
            problems.append(
                Problem(
                    where=f"env.{name}",
                    line=_line(configuration, name),
                    found=NOTHING,
                    rule=f"{name} has no value in the configuration, and your environment does not set it",
                    remedy=f"export {name}=… and run this again, or set the value with --env {name}=…, or for a stack "
                    f"with `pulumi config set --secret --path env.{name} …`",
                )
            )
    values = {
        name: _kept_secret_if_needed(name, value)
        for name, value in fill_environment(configuration, given, secrets, problems).items()
    }
    for name, value in values.items():
        _check_value(configuration, name, value, problems)
    _check_size(configuration, values, problems)
    return values


def _kept_secret_if_needed(name: str, value: str | Secret) -> str | Secret:
    if isinstance(value, str):
        value = Secret(value) if name in TOKEN_VARIABLES else value
    return "" if isinstance(value, Secret) and not value.reveal() else value


def _check_value(configuration: ServiceConfiguration, name: str, value: str | Secret, problems: list[Problem]) -> None:
    if not _can_be_carried(value.reveal() if isinstance(value, Secret) else value):
        problems.append(
            Problem(
                where=f"env.{name}",
                line=_line(configuration, name),
                rule=f"a value has at most {LARGEST_VALUE} bytes of UTF-8 and no NUL character",
                remedy="shorten it, or let the container fetch it from elsewhere",
            )
        )
    if isinstance(value, Secret) and is_read_on_the_way(name):
        problems.append(
            Problem(
                where=f"env.{name}",
                line=_line(configuration, name),
                rule=f"the shell or docker reads {name} itself, so it cannot carry a secret to the container",
                remedy="give it another name, or a value that is not secret; one secret in stack config makes all "
                "of its env secret, so write other values into the configuration",
            )
        )


def is_read_on_the_way(name: str) -> bool:
    """Whether a variable must be an argument of `docker run`, because the programs that start the container read it."""
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
    except UnicodeEncodeError:  # bytes of the caller's environment that are not UTF-8
        return False


def _line(configuration: ServiceConfiguration, name: str) -> int | None:
    """Return the line of a variable: a map has it by name, a list by its position."""
    lines = configuration.source.lines
    place = list(configuration.env).index(name)
    return lines.get(("env", name)) or lines.get(("env", place)) or configuration.source.line(("env",))


def hub_token(values: Mapping[str, str | Secret]) -> Secret | None:
    """Return the service's own Hub token; `None`: it has none, or an empty one."""
    for name in TOKEN_VARIABLES:
        value = values.get(name, "")
        token = value if isinstance(value, Secret) else Secret(value)
        if token.reveal():
            return token
    return None
