"""What stands in for the configured servers: which API each run has, and how to talk to the stand-ins' process.

`local/model_server` serves them: a small chat model with TGI's or OpenAI's API, and a small embedding model with the
API of TEI.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

import msgspec

from gateway_lambda.registry.record import Limits, Model
from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.model_server import loaded_model
from infra.planning.plan import Container, ServicePlan
from infra.planning.special_tokens import Tokens
from local.model_server.services import LARGEST_BATCH, Service, write_service
from local.weights import Weights

_BATCH_OPTION = re.compile(r"--max-client-batch-size[= ]+([0-9]+)")
_BATCH_VARIABLE = "MAX_CLIENT_BATCH_SIZE"


def service_for(plan: ServicePlan) -> Service:
    """Return what stands in for a run: a server with the API of the configured one."""
    loaded = loaded_model(plan.container)
    server, model = loaded.server, plan.model
    known = None if server is None else server.name
    stands_in_for = plan.container.image if model is None else model.name
    name = None if model is None else model.name
    translated = model is not None and model.format == "tgi"
    if not (loaded.generates or translated):
        return Service(api="tei", stands_in_for=stands_in_for, model=name or loaded.model, batch=_batch(plan.container))
    if translated or known == "TGI" or (model is None and (server is None or server.prefix is None)):
        return Service(api="tgi", stands_in_for=stands_in_for)
    own = server is not None and server.names == "own"
    names = loaded.names or (None if name is None or not own else (name,))
    return Service(
        api="openai",
        stands_in_for=stands_in_for,
        model=name or (names[0] if names else loaded.model),
        names=names,
        prefix="/v1" if model is None else model.prefix,
    )


def command(services: Sequence[Service], weights: Weights) -> list[str]:
    """Return the argument vector that serves the stand-ins as long as its parent lives."""
    words = [word for service in services for word in ("--service", write_service(service))]
    own = [] if weights.path is None else ["--weights", str(weights.path)]
    return [sys.executable, "-m", "local.child", "local.model_server", *words, *own]


def announced_addresses(line: str) -> list[str] | None:
    """Return the base URLs of the services, in their order, from the line that announces them; `None`: another line."""
    try:
        services = json.loads(line)["services"]
        return [str(service["url"]) for service in services]
    except (ValueError, TypeError, KeyError):
        return None


def own_template(weights: Weights) -> ChatTemplate:
    """Return the chat template and tokens in the file of the weights."""
    own = weights.model
    return ChatTemplate(
        template=own.chat_template,
        named={},
        origin=own.path.name,
        tokens=Tokens(eos=own.eos_token, bos=own.bos_token, others={}, ends=own.stop_strings),
        sha=None,
    )


def resolve_as(own: ChatTemplate) -> ResolveChatTemplate:
    """Use the template of the stand-in for every model, so that the Hub is not asked."""

    def resolve(_: ModelRepository) -> ChatTemplate:
        return own

    return resolve


def as_served(model: Model, own: ChatTemplate, service: Service) -> Model:
    """Return the record of a configured model when a stand-in answers for it.

    The stand-in reads text, has its own limits and wants no key. So these of the configured server are replaced. One
    with OpenAI's API is asked in it. One with TGI's is translated for, also if the configuration has TGI's own OpenAI
    API: the gateway's is whole. A template in the configuration stays, because the gateway renders it.
    """
    served = msgspec.structs.replace(model, limits=Limits(), adapter_id=None, upstream_api_key=None, vision=False)
    if service.api != "tgi":
        return served
    served = msgspec.structs.replace(served, format="tgi", prefix="/v1")
    if served.chat_template is not None:
        return served
    return msgspec.structs.replace(
        served, chat_template=own.template, eos_token=own.tokens.eos, bos_token=own.tokens.bos, chat_templates={}
    )


def _batch(container: Container) -> int:
    """Return how many texts a request to the configured TEI can have."""
    option = _BATCH_OPTION.search(" ".join(container.command))
    variable = dict(container.environment).get(_BATCH_VARIABLE)
    given = option[1] if option is not None else variable
    return int(given) if isinstance(given, str) and given.isdecimal() else LARGEST_BATCH
