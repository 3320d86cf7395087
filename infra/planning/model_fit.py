"""Whether the model of a service fits onto its offers: what the plan says about it, and what it refuses.

The answer of the Hub changes what is deployed only if `gpu` is not set. Otherwise it is a note, or a refusal that
`preflight: false` turns off. The calculation is in `memory_fit`, the sentences are in `fit_notes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway_lambda.registry.record import Model
from infra.configuration import Problem, Secret, ServiceConfiguration
from infra.planning.disk_fit import disk_notes
from infra.planning.fit_notes import NOT_CHECKED, memory_notes, refusal, room_notes, uneven_gpus
from infra.planning.gpu_left_out import choose_gpu
from infra.planning.memory_fit import Fit, model_fit
from infra.planning.model_server import loaded_model
from infra.planning.offers import asks_for_gpu
from infra.planning.plan import Container, Offer
from infra.planning.repository import HubError, HubOutOfReachError
from infra.planning.text import written_line
from infra.planning.weights import (
    Weigh,
    Weights,
    WeightsUnknownError,
    loaded_gib,
    remembered,
    size_is_known,
    weighed_repository,
)

_KEY = "resources.gpu"


class Fitting(NamedTuple):
    """The offers that remain, and what the plan says about them."""

    offers: tuple[Offer, ...]
    notes: list[str]
    """About the choice of the GPU, and about the room on it."""
    uneven: bool = False
    """Whether the server uses a number of GPUs that cannot share out the model, and a note says so."""


def fit_model(
    configuration: ServiceConfiguration,
    offers: tuple[Offer, ...],
    *,
    model: Model | None,
    container: Container,
    values: Mapping[str, str | Secret],
    weigh: Weigh,
    preflight: bool,
    problems: list[Problem],
) -> Fitting:
    """Return how the model fits. Problems are added to `problems`.

    Offers are left out only if `gpu` and `instance_types` are not set. Without `preflight`, the Hub is asked only then,
    and nothing else is refused.
    """
    loaded = loaded_model(container)
    decided = asks_for_gpu(configuration) or configuration.instance_types is not None
    repository = weighed_repository(model, values, loaded)
    weigh, known = remembered(weigh), len(problems)
    chosen, notes = choose_gpu(
        configuration, offers, loaded=loaded, repository=repository, weigh=weigh, problems=problems
    )
    if repository is None or not chosen or len(problems) > known or (decided and not preflight):
        return Fitting(chosen, notes)
    try:
        weights = weigh(repository)
    except (HubOutOfReachError, WeightsUnknownError) as error:
        return Fitting(chosen, [*notes, f"{NOT_CHECKED} {error.rule}; {error.remedy}."])
    except HubError:  # preflight asks whether the model can be read, and says why not
        return Fitting(chosen, notes)
    if weights is None:
        return Fitting(chosen, notes)
    notes += disk_notes(chosen, loaded, container, weights)
    fits = offer_fits(chosen, weights, container)
    if fits is None:
        sure = decided and not loaded.limits.uncertain and size_is_known(weights, loaded)
        return Fitting(chosen, notes + (room_notes(chosen, weights, loaded) if sure else []))
    if preflight and loaded.model is not None and fits and all(fit.verdict == "never" for fit in fits):
        line = written_line(configuration.source, _KEY)
        rule, remedy = refusal(fits, weights, loaded)
        problems.append(Problem(where=_KEY, line=line, rule=rule, remedy=remedy))
    uneven = uneven_gpus(fits, weights, loaded) is not None
    return Fitting(chosen, notes + memory_notes(fits, weights, loaded), uneven=uneven)


def offer_fits(offers: Sequence[Offer], weights: Weights, container: Container) -> list[Fit] | None:
    """Return how a model fits onto each offer that has as many GPUs as its server uses; `None`: the server, its options
    or the model are not known well enough."""
    loaded = loaded_model(container)
    memory = None if loaded.server is None else loaded.server.memory
    known = size_is_known(weights, loaded) and not loaded.limits.uncertain
    if memory is None or weights.architecture is None or not known:
        return None
    size = loaded_gib(weights, loaded)
    return [
        model_fit(offer, loaded, size, weights.architecture, memory)
        for offer in offers
        if loaded.gpus is None or loaded.gpus <= offer.gpu_count
    ]
