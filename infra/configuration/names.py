"""The rules for names."""

from __future__ import annotations

import re

from infra.configuration.problem import ConfigurationError, Problem

PROJECT = "servestack"
"""The name of the Pulumi project, to which all runs belong."""
PROJECT_NAME = re.compile(r"\$\{\{ *run\.project_name *\}\}")
"""dstack's reference in the domain of a gateway that several projects share."""

RESERVED = ("gateway", "services", "v1", "www")
"""Names that the gateway uses for its own hosts and paths."""

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""The pattern of a DNS label."""

STACK = r"[A-Za-z0-9_.-]{1,100}"
"""The pattern of the name of a Pulumi stack, organization or project."""


def run_name_rule(name: str) -> tuple[str, str] | None:
    """Return the (rule, remedy) that a run name breaks, or None when the name is valid."""
    if name in RESERVED:
        reserved = f"{', '.join(RESERVED[:-1])} or {RESERVED[-1]}"
        return f"a run name must not be {reserved}, because the gateway uses these names", "choose another name"
    if not re.fullmatch(LABEL, name):
        rule = "a run name must be a DNS label: 1 to 63 characters from a-z, 0-9 and -, without - at either end"
        return rule, "choose a name such as yellow-cat-1"
    return None


def check_run_name(name: str, where: str = "run name") -> str:
    """Return the name.

    Raises `ConfigurationError`, with `where` as the place (`--name`, `stack name`), when the run name is not valid.
    """
    wrong = run_name_rule(name)
    if wrong is None:
        return name
    rule, remedy = wrong
    raise ConfigurationError("run name", [Problem(where=where, found=repr(name)[:80], rule=rule, remedy=remedy)])
