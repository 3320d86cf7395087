"""The model on the Hub: whether the service's token may read it, and whether its weights fit into the offers' GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from infra.planning import HubError, HubOutOfReachError, Offer, ServicePlan
from infra.planning.chat_template import ModelRepository
from infra.planning.weights import gpu_gib, needed_gib, smallest_fit, weighed_repository
from infra.preflight.clients import Clients
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "Hub model"
MEMORY = "GPU memory"


def check_model(clients: Clients, plan: ServicePlan) -> list[Finding]:
    """Findings about the model; none where the service names none that is on the Hub."""
    container = plan.container
    repository = weighed_repository(plan.model, dict(container.environment), container.arguments)
    if repository is None:
        return []
    try:
        clients.check_access(repository.repo, repository.token)
    except HubOutOfReachError as error:
        return [warning(TOPIC, f"{error.rule}, so it is not checked whether replicas may fetch it")]
    except HubError as error:
        return [refusal(TOPIC, f"{error.rule}: {error.remedy}")]
    whose = "everybody" if repository.token is None else "the service's token"
    return [ok(TOPIC, f"{repository.repo} can be read by {whose}"), *_memory(clients, plan, repository)]


def _memory(clients: Clients, plan: ServicePlan, repository: ModelRepository) -> list[Finding]:
    try:
        weights = clients.weigh(repository)
    except HubError as error:
        return [warning(MEMORY, f"{error.rule}, so it is not checked whether it fits: {error.remedy}")]
    if weights is None:
        return []
    container = plan.container
    needed = needed_gib(weights, dict(container.environment), container.arguments)
    takes = f"{repository.repo} takes {needed:.1f} GiB ({weights.gib:.1f} GiB of weights, {weights.origin})"
    small = [offer for offer in plan.offers if gpu_gib(offer) < needed]
    if not small:
        return [ok(MEMORY, f"{takes}; the smallest offer has {min(map(gpu_gib, plan.offers)):.1f}")]
    return [_too_small(plan, takes, small, needed)]


def _too_small(plan: ServicePlan, takes: str, small: Sequence[Offer], needed: float) -> Finding:
    fitting = smallest_fit(plan.offers, needed)
    largest = max(plan.offers, key=gpu_gib)
    if not fitting:
        return warning(
            MEMORY,
            f"{takes}, and the largest offer, {_named(largest)}: replicas will most likely run out of GPU memory; ask "
            "for more under resources.gpu, or for a quantized model",
        )
    listed = ", ".join(_named(offer) for offer in small[:3]) + (f" and {len(small) - 3} more" if len(small) > 3 else "")
    count = "" if fitting[0].gpu_count == 1 else f":{fitting[0].gpu_count}"
    return warning(
        MEMORY,
        f"{takes}, which {listed} may not have: AWS may start any of the offers; set gpu to "
        f"{fitting[0].gpu_memory_gb:g}GB{count} to be sure",
    )


def _named(offer: Offer) -> str:
    return f"{offer.instance_type} with {gpu_gib(offer):.1f}"
