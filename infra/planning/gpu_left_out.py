"""A service that does not set `gpu`: the plan chooses the smallest GPU that its model fits into, and says so.

docs/decisions/2026-11-23-gpu-left-out.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.configuration import Problem, ServiceConfiguration
from infra.planning.chat_template import ModelRepository
from infra.planning.fit_notes import of_which, share_said
from infra.planning.memory_fit import model_fit
from infra.planning.model_server import Loaded
from infra.planning.offers import asks_for_gpu
from infra.planning.plan import Offer
from infra.planning.repository import HubError
from infra.planning.text import number, written_line
from infra.planning.weights import Weigh, Weights, loaded_gib, needed_gib, smallest_fit

UNCHOSEN = (
    "gpu is not set, so every GPU that satisfies the other requirements is an offer, the cheapest first, even if the "
    "model does not fit into its memory. Set gpu, for example 24GB, to be sure."
)
_KEY = "resources.gpu"


def choose_gpu(
    configuration: ServiceConfiguration,
    offers: tuple[Offer, ...],
    *,
    loaded: Loaded,
    repository: ModelRepository | None,
    weigh: Weigh,
    problems: list[Problem],
) -> tuple[tuple[Offer, ...], list[str]]:
    """Return the offers that remain, and notes about the choice. Problems are added to `problems`.

    Nothing is chosen if the configuration names instance types, or if the model is not on the Hub.
    """
    if asks_for_gpu(configuration) or not offers:
        return offers, []
    if configuration.instance_types is not None or repository is None:
        return offers, [UNCHOSEN]
    line = written_line(configuration.source, _KEY)
    try:
        weights = weigh(repository)
    except HubError as error:
        rule = f"it is not set, and the program cannot choose one: {error.rule}"
        problems.append(
            Problem(where=_KEY, line=line, rule=rule, remedy=f"set gpu, for example 24GB, or {error.remedy}")
        )
        return offers, []
    if weights is None:
        return offers, [_unweighed_note(repository.repo)]
    needed = needed_gib(weights, loaded)
    starting = [offer for offer in offers if _starts(offer, loaded, weights)]
    by_weights = smallest_fit(offers, needed, loaded)
    chosen = smallest_fit(starting, needed, loaded) or by_weights
    takes = (
        f"{repository.repo} needs {needed:.1f} GiB of GPU memory ({weights.gib:.1f} of weights, from {weights.origin})"
    )
    if not chosen:
        said, by = share_said(loaded), loaded.limits.share_by
        rule = f"it is not set, and no offer fits: {takes}" + (f". Of a GPU, {said}" if said else "")
        remedy = (
            f"raise {by}, " if said else ""
        ) + "relax the other requirements, set gpu to try one anyway, or use a quantized model"
        problems.append(Problem(where=_KEY, line=line, rule=rule, remedy=remedy))
        return offers, []
    cache = (
        "" if chosen == by_weights else ", and more for one sequence of full length, without which it does not start"
    )
    idle = "" if loaded.gpus in (None, chosen[0].gpu_count) else f"; the server uses {loaded.gpus} of the GPUs"
    limited = of_which(chosen[0].usable_gpu_memory_gb, loaded)
    return chosen, [
        f"gpu is not set. {takes}{cache}, so the plan uses the smallest that fits: {_spelt(chosen)}{limited}{idle}. "
        "Set gpu to choose."
    ]


def _starts(offer: Offer, loaded: Loaded, weights: Weights) -> bool:
    """Whether the server starts on an offer, as far as that is known: some servers need room for a whole sequence."""
    memory = None if loaded.server is None else loaded.server.memory
    if memory is None or not memory.stops_if_short or weights.architecture is None or loaded.limits.uncertain:
        return True
    if loaded.limits.fits_length or (loaded.gpus is not None and loaded.gpus > offer.gpu_count):
        return True
    return model_fit(offer, loaded, loaded_gib(weights, loaded), weights.architecture, memory).verdict == "fits"


def _unweighed_note(repo: str) -> str:
    """Return the note of a plan that is only shown, and for which the Hub was not asked or did not answer."""
    return (
        f"gpu is not set, and this command does not know how large {repo} is, so the plan shows every GPU that "
        "satisfies the other requirements. pulumi up asks the Hub, and uses the smallest GPU that fits. Set gpu, for "
        "example 24GB, to choose."
    )


def _spelt(chosen: Sequence[Offer]) -> str:
    """Return the GPUs as a configuration writes them, with their names: `24GB (A10G, L4)`, `24GB:4 (A10G)`."""
    first = chosen[0]
    count = "" if first.gpu_count == 1 else f":{first.gpu_count}"
    return f"{number(first.gpu_memory_gb)}GB{count} ({', '.join(sorted({offer.gpu for offer in chosen}))})"
