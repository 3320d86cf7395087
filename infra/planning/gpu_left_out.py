"""A service that leaves `gpu` out: the smallest GPU that has its model's memory is chosen, and said.

docs/decisions/2026-11-23-gpu-left-out.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway_lambda.registry.record import Model
from infra.configuration import Problem, Secret, ServiceConfiguration
from infra.planning.model_server import loaded_model
from infra.planning.offers import asks_for_gpu
from infra.planning.plan import Container, Offer
from infra.planning.repository import HubError
from infra.planning.text import number, written_line
from infra.planning.weights import Weigh, needed_gib, smallest_fit, weighed_repository

UNCHOSEN = (
    "gpu is left out, so every GPU that satisfies the rest is offered, the cheapest first, whether the model fits into "
    "its memory or not. Say gpu, for example 24GB, to be sure."
)
_KEY = "resources.gpu"


def choose_gpu(
    configuration: ServiceConfiguration,
    offers: tuple[Offer, ...],
    *,
    model: Model | None,
    container: Container,
    values: Mapping[str, str | Secret],
    weigh: Weigh,
    problems: list[Problem],
) -> tuple[tuple[Offer, ...], list[str]]:
    """The offers that are left, and what to say of it. What is wrong is added to `problems`.

    Where the configuration names instance types, or the model is none of the Hub's, nothing is chosen.
    """
    if asks_for_gpu(configuration) or not offers:
        return offers, []
    loaded = loaded_model(values, container.arguments)
    repository = weighed_repository(model, values, loaded)
    if configuration.instance_types is not None or repository is None:
        return offers, [UNCHOSEN]
    line = written_line(configuration.source, _KEY)
    try:
        weights = weigh(repository)
    except HubError as error:
        rule = f"it is left out, and cannot be chosen: {error.rule}"
        problems.append(
            Problem(where=_KEY, line=line, rule=rule, remedy=f"set gpu, for example 24GB, or {error.remedy}")
        )
        return offers, []
    if weights is None:
        return offers, [_unweighed_note(repository.repo)]
    needed = needed_gib(weights, loaded)
    chosen = smallest_fit(offers, needed, loaded)
    takes = f"{repository.repo} takes {needed:.1f} GiB of GPU memory ({weights.gib:.1f} of weights, {weights.origin})"
    if not chosen:
        rule = f"it is left out, and no offer fits: {takes}"
        remedy = "loosen the other requirements, set gpu to what is to be tried anyway, or take a quantized model"
        problems.append(Problem(where=_KEY, line=line, rule=rule, remedy=remedy))
        return offers, []
    idle = "" if loaded.gpus in (None, chosen[0].gpu_count) else f", whose server uses {loaded.gpus} of them"
    return chosen, [
        f"gpu is left out: {takes}, so the smallest that fits is chosen, {_spelt(chosen)}{idle}. Say gpu to choose."
    ]


def _unweighed_note(repo: str) -> str:
    """Of a plan that is shown only, for which the Hub was not asked or not reached."""
    return (
        f"gpu is left out, and the Hub did not say how large {repo} is, so every GPU that satisfies the rest is shown. "
        "pulumi up asks it, and offers the smallest that has the model. Say gpu, for example 24GB, to choose."
    )


def _spelt(chosen: Sequence[Offer]) -> str:
    """As in a configuration, with the GPUs' names: `24GB (A10G, L4)`, `24GB:4 (A10G)`."""
    first = chosen[0]
    count = "" if first.gpu_count == 1 else f":{first.gpu_count}"
    return f"{number(first.gpu_memory_gb)}GB{count} ({', '.join(sorted({offer.gpu for offer in chosen}))})"
