"""The model on the Hub: whether the service's token may read it, and whether its weights fit the GPUs of the offers."""

from __future__ import annotations

from collections.abc import Sequence

from infra.planning import HubError, HubOutOfReachError, Offer, ServicePlan
from infra.planning.chat_template import ModelRepository
from infra.planning.model_server import Loaded, loaded_model
from infra.planning.weights import WeightsUnknownError, gpu_gib, needed_gib, smallest_fit, weighed_repository
from infra.preflight.clients import Clients
from infra.preflight.finding import Finding, ok, refusal, warning

TOPIC = "Hub model"
MEMORY = "GPU memory"


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
        memory = _memory(clients, plan, repository, loaded)
    except HubOutOfReachError as error:
        return [warning(TOPIC, f"not checked whether replicas may fetch the model: {error.rule}; {error.remedy}")]
    except HubError as error:
        if loaded.model is None:
            doubt = "this matters only if the container loads this model, which its command does not say"
            return [warning(TOPIC, f"{error.rule}; {doubt}: {error.remedy}")]
        return [refusal(TOPIC, f"{error.rule}: {error.remedy}")]
    return [ok(TOPIC, f"{whose} can read {repository.repo}"), memory]


def _memory(clients: Clients, plan: ServicePlan, repository: ModelRepository, loaded: Loaded) -> Finding:
    """Raises `HubError` if the repository cannot be read at the revision that the container loads."""
    unchecked = "not checked whether the model fits"
    try:
        weights = clients.weigh(repository)
    except (HubOutOfReachError, WeightsUnknownError) as error:
        return warning(MEMORY, f"{unchecked}: {error.rule}; {error.remedy}")
    if weights is None:
        return warning(MEMORY, f"{unchecked}: the size of {repository.repo} is not known")
    needed = needed_gib(weights, loaded)
    takes = f"{repository.repo} needs {needed:.1f} GiB ({weights.gib:.1f} GiB of weights, {weights.origin})"
    small = [offer for offer in plan.offers if gpu_gib(offer, loaded) < needed]
    if not small:
        smallest = min(gpu_gib(offer, loaded) for offer in plan.offers)
        return ok(MEMORY, f"{takes}; the smallest offer has {smallest:.1f} GiB")
    return _too_small(plan, takes, small, needed, loaded)


def _too_small(plan: ServicePlan, takes: str, small: Sequence[Offer], needed: float, loaded: Loaded) -> Finding:
    fitting = smallest_fit(plan.offers, needed, loaded)
    if not fitting:
        largest = max(plan.offers, key=lambda offer: gpu_gib(offer, loaded))
        several = "" if loaded.gpus != 1 or largest.gpu_count == 1 else ", let the server use more of its GPUs"
        return warning(
            MEMORY,
            f"{takes}, but the largest offer is {_named(largest, loaded)}, so replicas will most likely run out of GPU "
            f"memory: ask for more under resources.gpu{several}, or use a quantized model",
        )
    listed = ", ".join(_named(offer, loaded) for offer in small[:3])
    more = f" and {len(small) - 3} more" if len(small) > 3 else ""
    count = "" if fitting[0].gpu_count == 1 else f":{fitting[0].gpu_count}"
    return warning(
        MEMORY,
        f"{takes}, which does not fit into {listed}{more}, and AWS can start any of the offers: set gpu to "
        f"{fitting[0].gpu_memory_gb:g}GB{count}",
    )


def _named(offer: Offer, loaded: Loaded) -> str:
    """An offer with the memory of the GPUs that the server uses, and with their number if it does not use all."""
    if loaded.gpus is None or loaded.gpus == offer.gpu_count:
        return f"{offer.instance_type} with {gpu_gib(offer, loaded):.1f} GiB"
    if loaded.gpus > offer.gpu_count:
        return f"{offer.instance_type} with {offer.gpu_count} of the {loaded.gpus} GPUs that the server uses"
    used = f"the server uses {loaded.gpus} of {offer.gpu_count} GPUs"
    return f"{offer.instance_type} with {gpu_gib(offer, loaded):.1f} GiB ({used})"
