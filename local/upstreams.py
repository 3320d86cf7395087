"""What answers for a run: the stand-in, a running TGI, or the configured image in docker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.plan import ServicePlan
from local import stand_in
from local.asking import Answer, get, status_in
from local.container import Docker, remove_command, run_command, run_environment
from local.runs import PlannedRun
from local.serving import Processes, free_port


class UpstreamUnusable(Exception):
    """The server that `--upstream` names cannot serve a run. `str()` says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """The server that answers for a run."""

    url: str
    server: str
    """A description of the server, for people."""
    speaks: str
    """`tgi`, `openai` or `http`."""


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


async def start_stand_in(
    processes: Processes, runs: Sequence[PlannedRun], environment: Mapping[str, str]
) -> list[Upstream]:
    """Start one stand-in for all runs. It serves when this returns."""
    addresses: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    def hear(line: str) -> bool:
        announced = stand_in.announced_addresses(line)
        if announced is None or addresses.done():
            return False
        addresses.set_result(announced)
        return True

    async def announcement() -> list[str]:
        return await addresses

    command = stand_in.command([_configured(run.plan) for run in runs])
    await processes.start("model", command, environment=environment, hear=hear)
    urls = await processes.until_ready(stand_in.NAME, announcement())
    return [Upstream(url=url, server=_stands_in(run.plan), speaks="tgi") for run, url in zip(runs, urls, strict=True)]


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


def _configured(plan: ServicePlan) -> str:
    """Return what the configuration serves: its model, or its image."""
    return plan.container.image if plan.model is None else plan.model.name


def _stands_in(plan: ServicePlan) -> str:
    stand = f"{stand_in.NAME}, a small real model on this machine's CPU,"
    if plan.model is None:
        return f"{stand} has TGI's API; --docker runs {plan.container.image} itself"
    if plan.model.format == "openai":
        return (
            f"{stand} stands in for {plan.model.name}. At the address of the run it has TGI's API, with "
            "/v1/chat/completions and /v1/models. The gateway has the whole OpenAI API"
        )
    return f"{stand} stands in for {plan.model.name}"


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
