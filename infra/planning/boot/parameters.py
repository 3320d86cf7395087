"""What a replica reads from SSM when its unit starts: the SecureStrings that components create.

Names: `/servestack/<table>/<run>/<NAME>` for an environment variable, `…/registry-username` and `…/registry-password`
for the image's registry (variables' names have no hyphen). The table is the registry's, of which each gateway has one:
two gateways of an account may have runs of the same name. A value that one standard parameter cannot hold as it is, is
written as `base64:` and its base64, cut into `<NAME>`, `<NAME>.1`, `<NAME>.2`, …. SSM refuses an empty value and one
with `{{`, and a standard parameter holds 4 KB (PutParameter's API reference).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from infra.configuration import Secret
from infra.planning.environment import is_read_on_the_way
from infra.planning.plan import ServicePlan

LARGEST_PARAMETER = 4096
"""Bytes that a standard parameter, which costs nothing, holds."""
LARGEST_IN_USER_DATA = 1024
"""Bytes of a value that is no secret, above which it is a parameter too, so that user data keeps within its 16 KB."""
ENCODED = "base64:"
USERNAME, PASSWORD = "registry-username", "registry-password"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A SecureString of the standard tier."""

    name: str
    """Within the run's `parameter_prefix`."""
    value: Secret


def parameter_prefix(table: str, run: str) -> str:
    """What every parameter of a run begins with, and nothing of another run does. `table`: the registry's name."""
    return f"/servestack/{table}/{run}/"


def parameters(plan: ServicePlan) -> tuple[Parameter, ...]:
    """Every parameter that a replica of `plan` reads."""
    return tuple(
        Parameter(name=name, value=Secret(piece))
        for key, value in _carried(plan).items()
        for name, piece in zip(parameter_names(plan, key), _pieces(value), strict=True)
    )


def parameter_names(plan: ServicePlan, key: str) -> tuple[str, ...]:
    """The parameters that together hold one value, in order; none where it is not carried so."""
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
