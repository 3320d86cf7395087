"""The model on the Hub: whether the service's token may read it. Whether it fits is a note of the plan."""

from __future__ import annotations

from infra.planning import HubError, HubOutOfReachError, ServicePlan
from infra.planning.model_server import loaded_model
from infra.planning.weights import weighed_repository
from infra.preflight.clients import Clients
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "Hub model"


def check_model(clients: Clients, plan: ServicePlan) -> list[Finding]:
    """Findings about the model. No finding if the service does not name a model of the Hub."""
    environment = dict(plan.container.environment)
    loaded = loaded_model(plan.container)
    repository = weighed_repository(plan.model, environment, loaded)
    if repository is None:
        return []
    whose = "everybody" if repository.token is None else "the service's token"
    try:
        clients.check_access(repository)
    except HubOutOfReachError as error:
        return [warning(TOPIC, f"not checked whether replicas may fetch the model: {error.rule}; {error.remedy}")]
    except HubError as error:
        if loaded.model is None:
            doubt = "this matters only if the container loads this model, which its command does not say"
            return [warning(TOPIC, f"{error.rule}; {doubt}: {error.remedy}")]
        return [refusal(TOPIC, f"{error.rule}: {error.remedy}")]
    return [ok(TOPIC, f"{whose} can read {repository.repo}")]
