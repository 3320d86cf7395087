"""Notes of a plan about the model server: where the configuration contradicts what the server does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from infra.configuration import ServiceConfiguration
from infra.planning.model_server import Loaded
from infra.planning.offers import asks_for_gpu
from infra.planning.plan import Container, Offer
from infra.planning.repository import is_folder
from infra.planning.servers import EVERYWHERE

LONGEST_WORDS = 80


def server_notes(
    configuration: ServiceConfiguration,
    loaded: Loaded,
    container: Container,
    offers: Sequence[Offer],
    *,
    uneven: bool,
) -> list[str]:
    """Return notes on where the server listens, which model names it has, how many GPUs it uses, where it keeps
    weights, and what is not known about it. There is no note about what is not certain.

    `uneven`: the plan already says that the server needs another number of GPUs."""
    return [
        *_listening(configuration, loaded),
        *_names(configuration, loaded),
        *([] if uneven else _gpus(configuration, loaded, offers)),
        *_weights(loaded, container),
        *_unknown(configuration, loaded),
    ]


def how_to_listen(loaded: Loaded) -> str:
    """Return what makes the server listen on every address, as a remedy."""
    server = loaded.server
    if server is not None and server.host_options:
        return f"add {server.host_options[0]} {EVERYWHERE} to the command of {server.name}"
    if server is not None and server.host_variables:
        return f"set {server.host_variables[0]}={EVERYWHERE} in env"
    return f"make the server listen on {EVERYWHERE}"


def _listening(configuration: ServiceConfiguration, loaded: Loaded) -> Iterator[str]:
    if loaded.server is None:
        return
    name = loaded.server.name
    if loaded.local:
        yield (
            f"{name} listens on 127.0.0.1 in the container, which other machines cannot reach. Each replica forwards "
            f"its port there. To need no forwarding, {how_to_listen(loaded)}."
        )
    if loaded.port is not None and loaded.port != configuration.port:
        yield (
            f"{name} listens on port {loaded.port}, but `port` is {configuration.port}: no replica will serve, unless "
            f"something else in the container listens on {configuration.port}. Write `port: {loaded.port}`, or change "
            "the port of the server."
        )


def _names(configuration: ServiceConfiguration, loaded: Loaded) -> Iterator[str]:
    model, server = configuration.model, loaded.server
    if model is None or model.format != "openai" or server is None or loaded.names is None:
        return
    answers = {name.removesuffix(":latest") for name in loaded.names}
    if model.name.removesuffix(":latest") in answers:
        return
    remedy = "or write one of these names as the model"
    if server.name_options:
        remedy = f"add {server.name_options[0]} {model.name} to its command, {remedy}"
    else:
        remedy = remedy.removeprefix("or ")
    yield (
        f"{server.name} answers only to {', '.join(loaded.names)}, so it will refuse requests for {model.name}, which "
        f"the gateway passes on unchanged: {remedy}."
    )


def _gpus(configuration: ServiceConfiguration, loaded: Loaded, offers: Sequence[Offer]) -> Iterator[str]:
    """Yield where the server needs more GPUs than an offer has, or uses fewer than every offer has. Without `gpu`, the
    plan has chosen the GPUs, or has a note of its own."""
    if not asks_for_gpu(configuration) and configuration.instance_types is None:
        return
    server = loaded.server
    if server is None or loaded.gpus is None or loaded.unread or loaded.limits.uncertain or not server.parallel:
        return
    option = server.parallel[0][0]
    few = [offer for offer in offers if offer.gpu_count < loaded.gpus]
    many = [offer for offer in offers if offer.gpu_count > loaded.gpus]
    uses = f"{server.name} uses {_counted(loaded.gpus)} for the model"
    remedy = f"write {option} $DSTACK_GPUS_NUM, which is the number of GPUs of the machine"
    if few:
        yield (
            f"{uses}, but {_on(few)}, so it will not start there: set the count "
            f"under resources.gpu to {loaded.gpus}, or {remedy}."
        )
    if many and len(many) == len(offers):
        yield (
            f"{uses}, but {_on(many)}, and the others stay idle: {remedy}, or "
            f"set the count under resources.gpu to {loaded.gpus}."
        )


def _weights(loaded: Loaded, container: Container) -> Iterator[str]:
    """Yield where the server keeps weights, if the folder is gone when the container starts again."""
    server = loaded.server
    if server is None or loaded.kept is None or loaded.port is None:
        return
    if loaded.model is not None and (is_folder(loaded.model) or "$" in loaded.model):
        return
    if any("$" in folder or not folder.startswith("/") for folder in loaded.kept):
        return
    home = dict(container.environment).get("HOME", "/root")
    if any(folder.startswith("/root/") for folder in loaded.kept) and (home != "/root" or container.user is not None):
        return
    mounted = [*container.hub_cache_paths, *(mount.path for mount in container.mounts)]
    if any(PurePosixPath(folder).is_relative_to(path) for folder in loaded.kept for path in mounted):
        return
    folder = loaded.kept[0]
    yield (
        f"{server.name} keeps weights in {folder}, which is not on a volume, so the container fetches them again "
        f"whenever it starts: add /var/lib/weights:{folder} to volumes."
    )


def _on(offers: Sequence[Offer]) -> str:
    """Return how many GPUs the first offer has, and those like it: `there are 4 GPUs on g5.12xlarge (and 3 more)`."""
    count = offers[0].gpu_count
    same = [offer.instance_type for offer in offers if offer.gpu_count == count]
    more = "" if len(same) == 1 else f" (and {len(same) - 1} more)"
    return f"there {'is' if count == 1 else 'are'} {_counted(count)} on {same[0]}{more}"


def _counted(gpus: int) -> str:
    return "1 GPU" if gpus == 1 else f"{gpus} GPUs"


def _unknown(configuration: ServiceConfiguration, loaded: Loaded) -> Iterator[str]:
    if loaded.server is None and loaded.others and configuration.model is not None:
        programs = _shortened(loaded.others[-1])
        yield (
            f"The command line runs no model server that servestack knows ({programs}), so the plan assumes that the "
            "server uses all GPUs of a machine."
        )
    if loaded.server is not None and loaded.unread:
        yield (
            f"The command of {loaded.server.name} has {_shortened(', '.join(loaded.unread))}, which only the machine "
            "can read. The plan does not know the options in it."
        )
    if loaded.model is not None and ("$" in loaded.model or "`" in loaded.model):
        yield (
            f"The model that the server loads is {_shortened(loaded.model)}, which only the machine knows. The plan "
            "uses the name under `model` in its place."
        )


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…"
