"""How much GPU memory a model takes, and the smallest GPU that has it: for a service that leaves `gpu` out.

What the Hub says of a repository's weights is a fact about the model that the configuration names, as its chat template
is, and not about the moment: docs/decisions/2026-11-23-gpu-left-out.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway_lambda.registry.record import Model
from infra.configuration import Secret
from infra.planning.chat_template import ModelRepository
from infra.planning.environment import hub_token
from infra.planning.model_server import Loaded
from infra.planning.plan import Offer
from infra.planning.repository import HubError, HubOutOfReachError, is_folder, own_site

ROOM = 1.2
"""Memory that serving takes, in parts of the weights: a fifth more for CUDA, activations and the smallest cache of keys
and values. TGI and vLLM use whatever is above for more cache, so there is no upper end to it."""

_QUANTIZED_WHILE_LOADING: Mapping[str, float] = {
    "bitsandbytes": 0.5,
    "bitsandbytes-nf4": 0.25,
    "bitsandbytes-fp4": 0.25,
    "eetq": 0.5,
    "fp8": 0.5,
}
"""What is left of 16-bit weights by TGI's `--quantize` (launcher's arguments) and vLLM's `--quantization`; their other
values load weights that the repository has quantized already."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model's weights as they lie on the GPU."""

    repo: str
    gib: float
    """2³⁰ bytes."""
    origin: str
    """What it is computed from, for messages."""


class WeightsUnknownError(HubError):
    """The Hub has the repository, and knows no size of weights in it."""


Weigh = Callable[[ModelRepository], Weights | None]
"""How a model is weighed. `None`: not known, on purpose. Raises `HubError`. The Hub: `hub_weights.weigh_on_hub`."""


def unweighed(wanted: ModelRepository) -> Weights | None:
    """Weighs nothing, on purpose: for a plan that is only shown, or served elsewhere."""
    del wanted


def unweighed_out_of_reach(weigh: Weigh) -> Weigh:
    """As `weigh`, but what nothing can be known of now is left unknown; what is wrong is still said."""

    def weigh_or_leave(wanted: ModelRepository) -> Weights | None:
        try:
            return weigh(wanted)
        except HubOutOfReachError:
            return None

    return weigh_or_leave


def weighed_repository(
    model: Model | None, environment: Mapping[str, str | Secret], loaded: Loaded
) -> ModelRepository | None:
    """The repository whose weights a container loads: what its server is told, else the model's own; `None` where it is
    not on the Hub, or cannot be told."""
    given = loaded.model
    if given is None and model is not None:
        given = model.hub_repo or model.name
    if given is None or is_folder(given) or given.count("/") != 1 or "$" in given:
        return None
    return ModelRepository(
        repo=given, revision=loaded.revision, token=hub_token(environment), site=own_site(environment)
    )


def needed_gib(weights: Weights, loaded: Loaded) -> float:
    """GPU memory that serving takes at least, in GiB."""
    return weights.gib * _QUANTIZED_WHILE_LOADING.get(loaded.quantize or "", 1.0) * ROOM


def gpu_gib(offer: Offer, loaded: Loaded) -> float:
    """Memory of an offer's GPUs that a model is put onto, in GiB; 0 where it has fewer GPUs."""
    gpus = offer.gpu_count if loaded.gpus is None else loaded.gpus
    return gpus * offer.usable_gpu_memory_gb if gpus <= offer.gpu_count else 0


def smallest_fit(offers: Sequence[Offer], needed: float, loaded: Loaded) -> tuple[Offer, ...]:
    """The offers with the smallest GPU that has `needed` GiB, else with the smallest number of GPUs that have it
    together; in the order given. Empty: none has."""
    fitting = [offer for offer in offers if gpu_gib(offer, loaded) >= needed]
    if not fitting:
        return ()
    best = min(_size(offer) for offer in fitting)
    return tuple(offer for offer in fitting if _size(offer) == best)


def _size(offer: Offer) -> tuple[bool, float, int]:
    """One GPU before several, then by memory together as sold, then the fewest of them."""
    return offer.gpu_count > 1, offer.gpu_count * offer.gpu_memory_gb, offer.gpu_count
