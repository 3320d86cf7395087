"""What answers for a run: a stand-in, a running TGI, or the configured image in docker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.plan import ServicePlan
from local import embedding_weights, stand_in
from local.asking import Answer, get, status_in
from local.container import Docker, remove_command, run_command, run_environment
from local.model_server.minilm import DIMENSIONS
from local.model_server.minilm import NAME as EMBEDDING
from local.model_server.services import Service
from local.runs import PlannedRun
from local.serving import Processes, free_port
from local.stand_in import service_for
from local.weights import Weights


class UpstreamUnusable(Exception):
    """The server that `--upstream` names cannot serve a run. `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """The server that answers for a run."""

    url: str
    server: str
    """A description of the server, for people."""
    speaks: str
    """`tgi`, `openai`, `tei` or `http`."""
    service: Service | None = None
    """What is stood in for; `None`: nothing stands in."""


def ask_upstream(url: str) -> Answer:
    """Return the answer of `url` at `/info`.

    Raises:
        UpstreamUnusable: nothing answers there.
    """
    try:
        return get(url, "/info")
    except OSError as error:
        raise UpstreamUnusable(
            f"--upstream {url}: nothing answers there ({error}). Start it, or correct the address."
        ) from None


def running_upstreams(url: str, said: Answer, runs: Sequence[PlannedRun]) -> list[Upstream]:
    """Return the running server at `url`, for each run.

    Raises:
        UpstreamUnusable: it is not a TGI, and a model of a run needs one.
    """
    return [_running(url, said, run.plan) for run in runs]


async def start_stand_ins(
    processes: Processes, runs: Sequence[PlannedRun], weights: Weights, environment: Mapping[str, str]
) -> list[Upstream]:
    """Start what stands in for the runs: one process, with the models that they need. It serves when this returns."""
    services = [service_for(run.plan) for run in runs]
    if any(service.api == "tei" for service in services) and not embedding_weights.installed():
        processes.say(embedding_weights.ANNOUNCEMENT)
        await processes.until_ready(embedding_weights.NAME, embedding_weights.install(), "installed")
    addresses: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    def hear(line: str) -> bool:
        announced = stand_in.announced_addresses(line)
        if announced is None or addresses.done():
            return False
        addresses.set_result(announced)
        return True

    async def announcement() -> list[str]:
        return await addresses

    command = stand_in.command(services, weights)
    await processes.start("model", command, environment=environment, hear=hear)
    urls = await processes.until_ready(_named(services, weights), announcement())
    return [
        Upstream(url=url, server=_stands_in(run.plan, service, weights), speaks=service.api, service=service)
        for run, service, url in zip(runs, services, urls, strict=True)
    ]


async def start_containers(
    processes: Processes, docker: Docker, runs: Sequence[PlannedRun], environment: Mapping[str, str]
) -> list[Upstream]:
    """Start a container for each run. All of them serve when this returns."""
    upstreams = [await _start_container(processes, docker, run.plan, environment) for run in runs]
    for run, upstream in zip(runs, upstreams, strict=True):
        check = run.plan.health_check
        await processes.until_serving(run.plan.run, upstream.url, check.path, status_in(check.matcher))
    return upstreams


def chat_templates(
    own: ChatTemplate | None, environment: Mapping[str, str], say: Callable[[str], None]
) -> ResolveChatTemplate:
    """Return how planning finds the chat template of a model that has none: it uses the template of the stand-in, or
    asks the Hub.

    `say` takes a line about each download, because it takes seconds.
    """
    if own is not None:
        return stand_in.resolve_as(own)
    # Imported here: the stand-in needs nothing from the Hub, whose library takes time and memory.
    from infra.planning.chat_template import resolve_with
    from infra.planning.hub import open_on_hub

    resolve = resolve_with(open_on_hub(environment))

    def fetch(wanted: ModelRepository) -> ChatTemplate:
        say(f"Fetching the chat template of {wanted.repo} from the Hub …")
        return resolve(wanted)

    return fetch


async def _start_container(
    processes: Processes, docker: Docker, plan: ServicePlan, environment: Mapping[str, str]
) -> Upstream:
    port = free_port()
    name = f"servestack-{plan.run}-{os.getpid()}"
    command = run_command(docker, plan.container, name=name, port=port)

    async def remove() -> None:
        removing = await asyncio.create_subprocess_exec(
            *remove_command(docker, name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
        )
        await removing.wait()

    processes.at_the_end(remove)
    await processes.start(plan.run, command, environment=run_environment(plan.container, environment))
    gpus = "with this machine's GPUs" if docker.gpus else "without a GPU, because this machine has none"
    speaks = "http" if plan.model is None else plan.model.format
    return Upstream(url=f"http://127.0.0.1:{port}", server=f"{plan.container.image} in docker, {gpus}", speaks=speaks)


def _named(services: Sequence[Service], weights: Weights) -> str:
    names = [] if all(service.api == "tei" for service in services) else [weights.name]
    return " and ".join(names + ([EMBEDDING] if any(service.api == "tei" for service in services) else []))


def _stands_in(plan: ServicePlan, service: Service, weights: Weights) -> str:
    if service.api == "tei":
        stand = f"{EMBEDDING}, a small real embedding model on this machine's CPU,"
        has = f"with TEI's API. Its embeddings have {DIMENSIONS} dimensions"
    else:
        small = "a small real model on this machine's CPU" if weights.path is None else "on this machine's CPU"
        stand = f"{weights.name}, {small},"
        has = "with TGI's API" if service.api == "tgi" else "with OpenAI's API as llama.cpp has it"
    if plan.model is None:
        return f"{stand} has {has.removeprefix('with ')}; --docker runs {plan.container.image} itself"
    return f"{stand} stands in for {plan.model.name}, {has}"


def _running(url: str, said: Answer, plan: ServicePlan) -> Upstream:
    info = said.fields()
    model = info.get("model_id")
    wants = None if plan.model is None else plan.model.format
    if isinstance(model, str):
        other = "" if plan.model is None or plan.model.name == model else f", which answers for {plan.model.name}"
        version = f" by TGI {info['version']}" if info.get("version") else ""
        return Upstream(url=url, server=f"{url} serves {model}{version}{other}", speaks=wants or "tgi")
    if wants == "tgi":
        raise UpstreamUnusable(
            f"--upstream {url}: found a server that is not a TGI (GET /info answers {said.status}, without model_id), "
            f"but the model of {plan.run} has `format: tgi`. Name a TGI, or set `format: openai` for another server."
        )
    return Upstream(url=url, server=f"{url}, which does not say what it serves", speaks=wants or "http")
