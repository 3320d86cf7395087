"""The SSM parameters of a run: SecureStrings that components create and a replica reads when its unit starts.

Names: `/servestack/<table>/<run>/<NAME>` for an environment variable, `…/registry-username` and `…/registry-password`
for the image registry, `…/probe-<number>` for a probe of the replica, `…/group-name` (names of variables have no
hyphen). `<table>` is the registry's table. Each gateway has its own, because two gateways of an account can have runs
of the same name. A value that does not fit into one standard parameter is written as `base64:` and its base64, cut into
`<NAME>`, `<NAME>.1`, `<NAME>.2`, …. SSM refuses an empty value and a value with `{{`, and a standard parameter holds 4
KB (PutParameter's API reference).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from infra.configuration import Secret
from infra.planning.boot.probes import PARAMETER, probe_request
from infra.planning.environment import is_read_on_the_way
from infra.planning.plan import ServicePlan

LARGEST_PARAMETER = 4096
"""The most bytes that a standard parameter holds. Standard parameters are free."""
LARGEST_IN_USER_DATA = 1024
"""The most bytes of a plain value in user data. A larger one becomes a parameter, because user data has only 16 KB."""
ENCODED = "base64:"
USERNAME, PASSWORD = "registry-username", "registry-password"
GROUP_NAME = "group-name"
"""The parameter with the name of the Auto Scaling group, which user data cannot have: the group needs it first. Only a
service with a `utilization_policy` has it, and its value is not secret."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A SecureString of the standard tier."""

    name: str
    """The name after the run's `parameter_prefix`."""
    value: Secret


def parameter_prefix(table: str, run: str) -> str:
    """Return the prefix of a run's parameters; no other run has it. `table` is the name of the registry's table."""
    return f"/servestack/{table}/{run}/"


def parameters(plan: ServicePlan) -> tuple[Parameter, ...]:
    """Return every parameter that a replica of `plan` reads."""
    return tuple(
        Parameter(name=name, value=Secret(piece))
        for key, value in _carried(plan).items()
        for name, piece in zip(parameter_names(plan, key), _pieces(value), strict=True)
    )


def parameter_names(plan: ServicePlan, key: str) -> tuple[str, ...]:
    """Return the names of the parameters that together hold one value, in order; empty if no parameter holds it."""
    carried = _carried(plan)
    if key not in carried:
        return ()
    return (key, *(f"{key}.{index}" for index in range(1, len(_pieces(carried[key])))))


def _carried(plan: ServicePlan) -> dict[str, str]:
    values = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in plan.container.environment
        if isinstance(value, Secret) or (len(value.encode()) > LARGEST_IN_USER_DATA and not is_read_on_the_way(name))
    }
    values |= {PARAMETER.format(number): probe_request(probe) for number, probe in enumerate(plan.probes)}
    if login := plan.container.registry_login:
        values |= {USERNAME: login.username, PASSWORD: login.password.reveal()}
    return values


def _pieces(value: str) -> list[str]:
    if _fits_as_it_is(value):
        return [value]
    encoded = ENCODED + base64.b64encode(value.encode()).decode()
    return [encoded[start : start + LARGEST_PARAMETER] for start in range(0, len(encoded), LARGEST_PARAMETER)]


def _fits_as_it_is(value: str) -> bool:
    return (
        0 < len(value.encode()) <= LARGEST_PARAMETER
        and value == value.strip()
        and "{{" not in value
        and not value.startswith(ENCODED)
        and all(character.isprintable() or character == "\n" for character in value)
    )
