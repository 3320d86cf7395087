"""The size of a model's weights, the GPU memory that they need at least, and the smallest GPU that has it.

The Hub's answer about the weights of a repository is a fact about the model of the configuration, like its chat
template, and does not depend on the time: docs/decisions/2026-11-23-gpu-left-out.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway_lambda.registry.record import Model
from infra.configuration import Secret
from infra.planning.architecture import Architecture
from infra.planning.chat_template import ModelRepository
from infra.planning.environment import hub_token
from infra.planning.model_server import Loaded
from infra.planning.plan import Offer
from infra.planning.repository import HubError, HubOutOfReachError, is_folder, own_site

ROOM = 1.2
"""Memory that serving needs, as a multiple of the weights: a fifth more for CUDA, activations and the smallest cache of
keys and values. TGI and vLLM use any further memory for more cache, so there is no upper limit."""

_HUB_PREFIXES = ("hf.co/", "huggingface.co/", "hf://")
"""How Ollama and NIM name repositories of the Hub."""
_QUANTIZED_WHILE_LOADING: Mapping[str, float] = {
    "bitsandbytes": 0.5,
    "bitsandbytes-nf4": 0.25,
    "bitsandbytes-fp4": 0.25,
    "eetq": 0.5,
    "fp8": 0.5,
}
"""The share of 16-bit weights that remains with TGI's `--quantize` (launcher's arguments) and vLLM's
`--quantization`."""
_FOUR_BITS = 0.3
"""The share that remains with `bitsandbytes` of other servers than TGI: 4 bits, and 16 for the embeddings."""
_QUANTIZED_BEFORE = (
    *("awq", "awq_marlin", "compressed-tensors", "exl2", "fbgemm_fp8", "gguf", "gptq", "gptq_marlin", "marlin"),
    *("modelopt", "modelopt_fp4", "mxfp4", "w8a8_fp8", "w8a8_int8"),
)
"""Values of the same options for weights that are already quantized in the repository."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The size of a model's weights on the GPU."""

    repo: str
    gib: float
    """The size in 2³⁰ bytes."""
    origin: str
    """The origin of the number, for messages."""
    download_gib: float | None = None
    """The size of the files that a server fetches, in 2³⁰ bytes; `None`: not known."""
    quantized: bool = False
    """Whether the weights are already quantized in the repository."""
    architecture: Architecture | None = None
    """The model's architecture; `None`: its repository does not say, or the token cannot read it."""


class WeightsUnknownError(HubError):
    """The Hub has the repository, but does not know the size of its weights."""


Weigh = Callable[[ModelRepository], Weights | None]
"""A function that weighs a model; `None`: not known, on purpose. Raises `HubError`. See `hub_weights.weigh_on_hub`."""


def unweighed(wanted: ModelRepository) -> Weights | None:
    """Return nothing, on purpose: for a plan that is only shown, or that runs on a laptop."""
    del wanted


def unweighed_out_of_reach(weigh: Weigh) -> Weigh:
    """Return a function like `weigh` that returns nothing when the Hub does not answer. It raises other errors."""

    def weigh_or_leave(wanted: ModelRepository) -> Weights | None:
        try:
            return weigh(wanted)
        except HubOutOfReachError:
            return None

    return weigh_or_leave


def weighed_repository(
    model: Model | None, environment: Mapping[str, str | Secret], loaded: Loaded
) -> ModelRepository | None:
    """Return the repository whose weights a container loads: the one of its server's options, or else of the model;
    `None`: it is not on the Hub, or not known."""
    given = loaded.model
    if given is None and model is not None:
        given = model.hub_repo or model.name
    if given is None:
        return None
    for prefix in _HUB_PREFIXES:
        given = given.removeprefix(prefix)
    repo, _, quantization = given.partition(":")
    if is_folder(repo) or repo.count("/") != 1 or "$" in given:
        return None
    return ModelRepository(
        repo=repo,
        revision=loaded.revision,
        token=hub_token(environment),
        site=own_site(environment),
        file=loaded.file or quantization or None,
    )


def remembered(weigh: Weigh) -> Weigh:
    """Return a function like `weigh` that asks only once about each repository."""
    found: dict[tuple[str, str | None, str | None], Weights | None] = {}

    def weigh_once(wanted: ModelRepository) -> Weights | None:
        key = (wanted.repo, wanted.revision, wanted.file)
        if key not in found:
            found[key] = weigh(wanted)
        return found[key]

    return weigh_once


def loaded_gib(weights: Weights, loaded: Loaded) -> float:
    """Return the size of the weights as the server loads them, in GiB."""
    if weights.quantized or loaded.quantize is None:
        return weights.gib
    if loaded.quantize == "bitsandbytes" and loaded.server is not None and loaded.server.name != "TGI":
        return weights.gib * _FOUR_BITS
    return weights.gib * _QUANTIZED_WHILE_LOADING.get(loaded.quantize, 1.0)


def size_is_known(weights: Weights, loaded: Loaded) -> bool:
    """Whether the size of the weights as the server loads them is known."""
    known = (None, *_QUANTIZED_WHILE_LOADING, *_QUANTIZED_BEFORE)
    return weights.quantized or loaded.quantize in known


def needed_gib(weights: Weights, loaded: Loaded) -> float:
    """Return the least GPU memory that serving needs, in GiB."""
    return loaded_gib(weights, loaded) * ROOM


def gpu_gib(offer: Offer, loaded: Loaded) -> float:
    """Return the memory that the model has on those GPUs of an offer that hold it, in GiB; 0: the offer has too few
    GPUs. A share that the configuration sets counts."""
    gpus = offer.gpu_count if loaded.gpus is None else loaded.gpus
    return gpus * offer.usable_gpu_memory_gb * (loaded.own_share or 1) if gpus <= offer.gpu_count else 0


def smallest_fit(offers: Sequence[Offer], needed: float, loaded: Loaded) -> tuple[Offer, ...]:
    """Return the offers with the smallest GPU that has `needed` GiB, or else with the fewest GPUs that have it
    together, in the given order. Empty: no offer fits."""
    fitting = [offer for offer in offers if gpu_gib(offer, loaded) >= needed]
    if not fitting:
        return ()
    best = min(_size(offer) for offer in fitting)
    return tuple(offer for offer in fitting if _size(offer) == best)


def _size(offer: Offer) -> tuple[bool, float, int]:
    """Return the sort key: one GPU before several, then the total memory as sold, then the number of GPUs."""
    return offer.gpu_count > 1, offer.gpu_count * offer.gpu_memory_gb, offer.gpu_count
