"""The secrets of a run as SSM parameters: their names and values. Nothing else of a run is secret on a replica."""

from __future__ import annotations

from collections.abc import Mapping

from infra.configuration import Secret
from infra.planning.plan import ServicePlan

REGISTRY_PASSWORD = "registry.password"  # noqa: S105 - the last part of a parameter's name
"""The image registry's password; the dot keeps it apart from any variable's name."""


def parameter_folder(table: str, run: str) -> str:
    """Where the parameters of a run lie. The table's name is in it, so that two gateways may have the same run name."""
    return f"/servestack/{table}/{run}"


def secret_values(plan: ServicePlan) -> Mapping[str, Secret]:
    """Values by the last part of the parameter's name: a variable's name, or `REGISTRY_PASSWORD`.

    A parameter cannot be empty, and an empty value is no secret: a variable with one is a plain empty text.
    """
    login = plan.container.registry_login
    wanted = (*plan.container.environment, *(() if login is None else ((REGISTRY_PASSWORD, login.password),)))
    return {name: value for name, value in wanted if isinstance(value, Secret) and value.reveal()}
