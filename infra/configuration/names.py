"""The rules for names."""

from __future__ import annotations

import re

from infra.configuration.problem import ConfigurationError, Problem, Source

RESERVED = ("gateway", "services", "v1", "www")
"""Names that the gateway's own hosts and paths have."""

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""A pattern of DNS labels."""

STACK = r"[A-Za-z0-9_.-]{1,100}"
"""A pattern of Pulumi's stacks, organizations and projects."""


def run_name_rule(name: str) -> tuple[str, str] | None:
    """What is wrong with a run name, as (rule, remedy); None when it is one."""
    if name in RESERVED:
        return f"a run name is none of {', '.join(RESERVED)}, which the gateway itself uses", "choose another name"
    if not re.fullmatch(LABEL, name):
        rule = "a run name is a DNS label: 1 to 63 of a-z, 0-9 and -, with neither end a -"
        return rule, "choose a name like yellow-cat-1"
    return None


def check_run_name(name: str, where: str = "run name", source: Source | None = None) -> str:
    """The name itself.

    Raises ConfigurationError, with `where` as the place (`--name`, `stack name`), when it is no run name.
    """
    wrong = run_name_rule(name)
    if wrong is None:
        return name
    rule, remedy = wrong
    report = source.name if source else "run name"
    raise ConfigurationError(report, [Problem(where=where, found=repr(name)[:80], rule=rule, remedy=remedy)])
