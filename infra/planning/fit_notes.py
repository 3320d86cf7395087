"""What a plan says about the memory that a model needs. A warning names what does not fit, why, and what helps."""

from __future__ import annotations

from collections.abc import Sequence

from infra.planning.memory_fit import CERTAIN, LARGEST_SHARE, Fit
from infra.planning.model_server import Loaded
from infra.planning.plan import Offer
from infra.planning.text import number
from infra.planning.weights import Weights, gpu_gib, loaded_gib, needed_gib, smallest_fit

NOT_CHECKED = "The plan does not know whether the model fits:"
_SHOWN = 3


def memory_notes(fits: Sequence[Fit], weights: Weights, loaded: Loaded) -> list[str]:
    """Return what fits onto the offers, and warnings about those that have too little memory."""
    notes = [*_heads(fits, weights, loaded), *_too_long(weights, loaded)]
    if not fits or notes:
        return notes
    notes = _too_small(fits, weights, loaded)
    small = [fit for fit in fits if fit.verdict in ("short", "close")]
    serving = [fit for fit in fits if fit.verdict == "fits"]
    if small or serving:
        parts = [_weights(weights, loaded)]
        parts += [_short(small, fits, weights, loaded)] if small else []
        parts += [_sequences(serving, weights, loaded)] if serving else []
        notes.append(f"{'. '.join(parts)}.")
    return notes


def uneven_gpus(fits: Sequence[Fit], weights: Weights, loaded: Loaded) -> int | None:
    """Return the smallest number of GPUs that cannot share out the attention heads; `None`: each number can."""
    if weights.architecture is None or loaded.server is None:
        return None
    groups = {max(1, fit.gpus // loaded.limits.pipeline) for fit in fits}
    return min((gpus for gpus in groups if weights.architecture.heads % gpus), default=None)


def refusal(fits: Sequence[Fit], weights: Weights, loaded: Loaded) -> tuple[str, str]:
    """Return the rule and the remedy for a model whose weights are larger than the memory of every offer."""
    largest = max(fits, key=lambda fit: fit.memory * fit.gpus)
    rule = (
        f"the model does not fit: {_weights(weights, loaded)}{_each(largest)}. The "
        f"largest offer is {_named(largest)}, with {largest.memory:.1f} GiB {_per_gpu(largest)}"
        f"{of_which(largest.memory, loaded)}"
    )
    return rule, f"{_more(largest, loaded)}. To go on anyway, set preflight to false in stack config"


def share_said(loaded: Loaded) -> str:
    """Return the share of the memory that the configuration sets: `vLLM may use 60 % (--gpu-memory-utilization 0.6)`;
    empty: it sets none."""
    if loaded.server is None or loaded.own_share is None or loaded.limits.share_by is None:
        return ""
    between = " " if loaded.limits.share_by.startswith("-") else "="
    written = f"{loaded.limits.share_by}{between}{loaded.own_share:g}"
    return f"{loaded.server.name} may use {loaded.own_share * 100:g} % ({written})"


def of_which(gib: float, loaded: Loaded) -> str:
    """Return how much of a GPU's memory the server may use, to follow the memory; empty: all that it has by default."""
    said = share_said(loaded)
    return f", of which {said}: {gib * (loaded.own_share or 1):.1f} GiB" if said else ""


def room_notes(offers: Sequence[Offer], weights: Weights, loaded: Loaded) -> list[str]:
    """Return a warning about offers with less memory than the weights and a fifth more. It is for servers and models
    of which the plan knows only the size of the weights."""
    needed = needed_gib(weights, loaded)
    small = [offer for offer in offers if gpu_gib(offer, loaded) < needed]
    if not small:
        return []
    takes = (
        f"{weights.repo} needs about {needed:.1f} GiB of GPU memory ({loaded_gib(weights, loaded):.1f} GiB of weights, "
        f"from {weights.origin}, and a fifth more)"
    )
    said = share_said(loaded)
    limited = f", of which {said}" if said else ""
    if loaded.server is not None and loaded.server.spills:
        return [
            f"{takes}, more than there is on {_listed(small)}. {loaded.server.name} keeps the rest in main memory, "
            "which is many times slower: ask for more under resources.gpu, or use a smaller quantization."
        ]
    fitting = smallest_fit(offers, needed, loaded)
    if not fitting:
        return [
            f"{takes}, more than any offer has{limited}, so replicas will most likely run out of GPU memory: ask for "
            "more under resources.gpu, or use a quantized model."
        ]
    return [
        f"{takes}, more than there is on {_listed(small)}{limited}. AWS can start any of the offers: set gpu to "
        f"{_spelt(fitting[0])}."
    ]


def _heads(fits: Sequence[Fit], weights: Weights, loaded: Loaded) -> list[str]:
    uneven = uneven_gpus(fits, weights, loaded)
    if uneven is None or weights.architecture is None or loaded.server is None:
        return []
    heads = weights.architecture.heads
    return [
        f"{weights.repo} has {heads} attention heads, which {uneven} GPUs cannot share out evenly, so "
        f"{loaded.server.name} will not start: use a number of GPUs that divides {heads}."
    ]


def _too_long(weights: Weights, loaded: Loaded) -> list[str]:
    """Return a note about a length that the server refuses, because the model has no positions for it."""
    architecture, memory, length = weights.architecture, loaded.server and loaded.server.memory, loaded.limits.length
    if architecture is None or architecture.stretched or loaded.server is None or not memory or not memory.longer_by:
        return []
    if length is None or length <= architecture.length or loaded.limits.longer:
        return []
    option = memory.length.options[0]
    return [
        f"{option} is {length}, but {weights.repo} is made for sequences of {architecture.length:,} tokens (its "
        f"config.json), so {loaded.server.name} will not start: write {option} {architecture.length} or less, or set "
        f"{memory.longer_by}=1 in env, with which longer sequences can get wrong answers."
    ]


def _too_small(fits: Sequence[Fit], weights: Weights, loaded: Loaded) -> list[str]:
    small = [fit for fit in fits if fit.verdict == "never"]
    if not small:
        return []
    largest = max(small, key=lambda fit: fit.memory * fit.gpus)
    takes = f"{_weights(weights, loaded)}{_each(largest)}"
    where = (
        f"{_listed([fit.offer for fit in small])} with {largest.memory:.1f} GiB {_per_gpu(largest)}"
        f"{of_which(largest.memory, loaded)}"
    )
    if len(small) == len(fits):
        return [f"{takes}. They do not fit onto {where}: {_more(largest, loaded)}."]
    fitting = next(fit.offer for fit in fits if fit.verdict != "never")
    return [
        f"{takes}. They do not fit onto {where}, and AWS can start any of the offers: {_raise(largest, loaded)}"
        f"set gpu to {_spelt(fitting)}."
    ]


def _short(small: Sequence[Fit], fits: Sequence[Fit], weights: Weights, loaded: Loaded) -> str:
    """Return a warning about offers on which a sequence of full length has no room, or perhaps none."""
    server, limits = loaded.server, loaded.limits
    worst = min(small, key=lambda fit: (fit.verdict != "short", fit.memory * fit.gpus))
    there_is = "there might be" if worst.verdict == "close" else "there is"
    what = (
        f"Beside them, {there_is} no room on {_listed([fit.offer for fit in small])} for one sequence of full length "
        f"({_length(weights, loaded):,} tokens)"
    )
    if server is None or server.memory is None:
        return what
    length = server.memory.length.options[0]
    shorter = "" if worst.longest is None else f"write {length} {worst.longest} (a little more may work), or "
    others = [fit.offer for fit in fits if fit.verdict == "fits"]
    larger = f"set gpu to {_spelt(others[0])}" if others else "ask for more under resources.gpu"
    if server.memory.stops_if_short and not limits.fits_length:
        will = "might not start" if worst.verdict == "close" else "will not start"
        return f"{what}, so {server.name} {will}: {shorter}{larger}"
    up_to = "" if worst.longest is None else f" of more than about {worst.longest:,} tokens"
    return f"{what}, so {server.name} might refuse requests{up_to}: {shorter}{larger}"


def _sequences(serving: Sequence[Fit], weights: Weights, loaded: Loaded) -> str:
    """Return how many sequences have room, on the GPUs with the least room and on those with the most."""
    ordered = sorted(serving, key=lambda fit: fit.sequences)
    first, last = ordered[0], ordered[-1]
    counted = "sequence" if first.sequences[1] == 1 else "sequences"
    text = (
        f"By estimate, {_label(first)} has room for {_count(first)} {counted} of full length "
        f"({_length(weights, loaded):,} tokens)"
    )
    if first.sequences != last.sequences:
        text += f", {_label(last)} for {_count(last)}"
    limit = loaded.limits.sequences
    if limit is not None and first.sequences[0] < limit:
        text += f". Up to {limit} run at once if they are shorter; others wait"
    return text


def _count(fit: Fit) -> str:
    least, most = fit.sequences
    return f"{least}" if least == most else f"{least} to {most}"


def _weights(weights: Weights, loaded: Loaded) -> str:
    return f"{weights.repo} has {loaded_gib(weights, loaded):.1f} GiB of weights (from {weights.origin})"


def _length(weights: Weights, loaded: Loaded) -> int:
    model = 0 if weights.architecture is None else weights.architecture.length
    return loaded.limits.length or model


def _more(fit: Fit, loaded: Loaded) -> str:
    """Return what gives the model more memory, as a remedy."""
    more = f"{_raise(fit, loaded)}ask for more under resources.gpu, or use a quantized model"
    if loaded.gpus is not None and loaded.gpus < fit.offer.gpu_count and loaded.server and loaded.server.parallel:
        return f"let the server use more of the GPUs with {loaded.server.parallel[0][0]}, {more}"
    return more


def _raise(fit: Fit, loaded: Loaded) -> str:
    """Return the remedy to let the server use more of the memory, if the weights then fit; else nothing."""
    share, by = loaded.own_share, loaded.limits.share_by
    fits = fit.weights * CERTAIN <= fit.memory * LARGEST_SHARE
    return f"raise {by}, or " if share is not None and by is not None and share < LARGEST_SHARE and fits else ""


def _each(fit: Fit) -> str:
    return ", on one GPU" if fit.gpus == 1 else f", {fit.weights:.1f} GiB on each of {fit.gpus} GPUs"


def _per_gpu(fit: Fit) -> str:
    gpus = fit.offer.gpu_count
    return "on a GPU" if fit.gpus == gpus else f"on each GPU (the server uses {fit.gpus} of {gpus})"


def _named(fit: Fit) -> str:
    return fit.offer.instance_type


def _label(fit: Fit) -> str:
    """Return the GPUs that hold the model, as a configuration writes them: `L4:24GB`, `A10G:24GB:4`."""
    count = "" if fit.gpus == 1 else f":{fit.gpus}"
    return f"{fit.offer.gpu}:{number(fit.offer.gpu_memory_gb)}GB{count}"


def _listed(offers: Sequence[Offer]) -> str:
    """Return a few names: `a`, `a and b`, `a, b, c and 5 more`."""
    names = [offer.instance_type for offer in offers[:_SHOWN]]
    if len(offers) > _SHOWN:
        names.append(f"{len(offers) - _SHOWN} more")
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _spelt(offer: Offer) -> str:
    count = "" if offer.gpu_count == 1 else f":{offer.gpu_count}"
    return f"{number(offer.gpu_memory_gb)}GB{count}"
