"""Notes of a plan about the model server: what the configuration says and the server does not do."""

from __future__ import annotations

from collections.abc import Iterator

from infra.configuration import ServiceConfiguration
from infra.planning.model_server import Loaded
from infra.planning.servers import EVERYWHERE

LONGEST_WORDS = 80


def server_notes(configuration: ServiceConfiguration, loaded: Loaded) -> list[str]:
    """Return notes on where the server listens, which model names it has, and what is not known about it."""
    return [*_listening(configuration, loaded), *_names(configuration, loaded), *_unknown(configuration, loaded)]


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
