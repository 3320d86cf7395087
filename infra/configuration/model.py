"""The model that a service offers through the OpenAI API, and how the gateway talks to its model server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, field_validator
from pydantic_core import CoreSchema, PydanticCustomError

from gateway_lambda.templates import TemplateInvalid, compile_template
from infra.configuration.amounts import Count, Positive
from infra.configuration.secret import Secret
from infra.configuration.section import Section, problem

_OF_OPENAI = ("type", "name", "format", "prefix", "hub_repo", "upstream_api_key")
"""The keys for an OpenAI-compatible server. The gateway passes requests to it unchanged."""
_PREFIX = re.compile(r'(?:/[!"$->@-~]*)?')


def _off(value: object) -> object:
    """Read false as `off`, because YAML reads an unquoted `off` as false."""
    return "off" if value is False else value


class Limits(Section, frozen=True):
    """The limits of the model server."""

    max_stop_sequences: Positive | None = Field(
        default=None, description="The most stop sequences per request. If not set, the value from /info, or 4 is used"
    )
    max_top_n_tokens: Count = Field(default=5, description="The most alternatives per token")
    max_total_tokens: Positive | None = Field(
        default=None,
        description="The most tokens of prompt and answer together. If not set, the value from /info is used",
    )
    max_input: Positive | None = Field(
        default=None,
        description="The most tokens of the prompt. Only recorded in the registry: the model server enforces it",
    )


class ModelConfiguration(Section, frozen=True):
    """The model of a service. `model: name` means an OpenAI-compatible server under `/v1`; a map can describe any."""

    type: Literal["chat"] = Field(default="chat", description="The kind of model")
    name: str = Field(
        min_length=1, description="The id that clients send as `model`", examples=["mistralai/Mistral-7B-Instruct-v0.1"]
    )
    format: Literal["tgi", "openai"] = Field(default="tgi", description="The API of the model server")
    prefix: str = Field(default="/v1", description="The path of the server's OpenAI API (only with format: openai)")
    chat_template: str | None = Field(
        default=None, description="The Jinja template of the prompt. If not set, the template from the Hub is used"
    )
    chat_templates: Mapping[str, str] = Field(default={}, description="More templates by name, such as tool_use")
    eos_token: str | None = Field(
        default=None, description="The token that ends an answer. If not set, the token from the Hub is used"
    )
    bos_token: str | None = Field(
        default=None, description="The token that begins a prompt. If not set, the token from the Hub is used"
    )
    special_tokens: Mapping[str, str | tuple[str, ...]] = Field(
        default={}, description="More variables for the chat template"
    )
    hub_repo: str | None = Field(
        default=None, description="The Hub repository of the model. If not set, the model's name is used"
    )
    revision: str | None = Field(default=None, description="The revision of that repository. If not set, main is used")
    stop_strings: tuple[str, ...] | None = Field(
        default=None,
        description="Texts that end an answer, besides the client's stop sequences. If not set, [eos_token] is used",
    )
    strip_bos: Literal["auto", "always", "never"] = Field(
        default="auto", description="Whether the gateway removes the bos_token from the rendered prompt"
    )
    limits: Limits = Field(default=Limits(), description="The limits of the model server")
    default_max_tokens: Positive | None = Field(
        default=None, description="The most tokens of an answer if the client sets no limit"
    )
    clamp_max_tokens: bool = Field(
        default=False, description="Whether a token limit that does not fit is reduced instead of refused"
    )
    max_n: Positive = Field(default=8, description="The most choices per request")
    unsupported_params: Literal["reject", "drop"] = Field(
        default="reject", description="What happens to parameters that have no equivalent in TGI"
    )
    tools: Annotated[str, BeforeValidator(_off), Field(min_length=1)] = Field(
        default="grammar",
        description="How tools work: off, grammar (the chat template names the form of calls), or the name of a form",
    )
    json_object: Literal["reject", "regex"] = Field(
        default="regex", description="What happens to response_format json_object"
    )
    vision: bool = Field(default=False, description="Whether the model accepts images")
    image_hosts: tuple[str, ...] = Field(default=(), description="Hosts from which images can be fetched")
    prefill: Literal["continue", "new_turn"] = Field(
        default="continue", description="What the gateway does with an assistant message at the end"
    )
    control_tokens_in_input: Literal["allow", "strip", "reject"] = Field(
        default="allow", description="What happens to control tokens in messages"
    )
    adapter_id: str | None = Field(default=None, description="The LoRA adapter that TGI uses")
    upstream_api_key: Secret | None = Field(
        default=None, description="The key that the model server requires (TGI's --api-key)"
    )

    @field_validator("prefix")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        """Accept the paths that the gateway's routing record accepts."""
        if _PREFIX.fullmatch(value) is None:
            rule = "a prefix must be a path that begins with / and has only ASCII characters, without spaces, ? and #"
            raise problem(rule, "write a path such as /v1")
        return value

    @field_validator("chat_template")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            _compile(value)
        return value

    @field_validator("chat_templates")
    @classmethod
    def _all_compile(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for template in value.values():
            _compile(template)
        return value

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if given.get("format") == "openai":
            for key, value in given.items():
                if key not in _OF_OPENAI and value not in (None, [], {}, cls.model_fields[key].default):
                    rule = f"{key} works only with `format: tgi`, where the gateway writes the prompt"
                    yield key, problem(rule, "remove it, or write `format: tgi`")
            return
        if "prefix" in given:
            rule = "prefix works only with `format: openai`, where the model server has its own OpenAI API"
            yield "prefix", problem(rule, "remove it, or write `format: openai`")
        if given.get("image_hosts") and not given.get("vision"):
            rule = "image_hosts works only with `vision: true`: otherwise, the gateway accepts no images"
            yield "image_hosts", problem(rule, "write `vision: true`, or remove it")

    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {"type": "chat", "name": value, "format": "openai"} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _compile(template: str) -> None:
    """Compile a template as the gateway does."""
    try:
        compile_template(template)
    except TemplateInvalid as error:
        rule = f"a chat template must be Jinja that compiles: {error.message}"
        raise problem(rule, "correct the template, or remove it to use the template from the Hub") from None
