"""The model that a service offers through the OpenAI interface, and how to talk to what serves it."""

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
"""What holds for an OpenAI-compatible server, to which requests are handed on as they are."""
_PREFIX = re.compile(r'(?:/[!"$->@-~]*)?')


def _off(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


class Limits(Section, frozen=True):
    """What the upstream refuses."""

    max_stop_sequences: Positive | None = Field(
        default=None, description="Stop sequences a request; default: from /info, else 4"
    )
    max_top_n_tokens: Count = Field(default=5, description="Alternatives a token")
    max_total_tokens: Positive | None = Field(
        default=None, description="Prompt and answer together, in tokens; default: from /info"
    )
    max_input: Positive | None = Field(
        default=None,
        description="Prompt alone, in tokens; kept in the registry only: the container holds requests to it",
    )


class ModelConfiguration(Section, frozen=True):
    """`model: name` is an OpenAI-compatible server under `/v1`; the map describes any other."""

    type: Literal["chat"] = Field(default="chat", description="What the model is for")
    name: str = Field(
        min_length=1, description="The id that clients send as `model`", examples=["mistralai/Mistral-7B-Instruct-v0.1"]
    )
    format: Literal["tgi", "openai"] = Field(default="tgi", description="What the container speaks")
    prefix: str = Field(default="/v1", description="Path of an OpenAI-compatible server's interface (format: openai)")
    chat_template: str | None = Field(default=None, description="Jinja template of the prompt; default: from the Hub")
    chat_templates: Mapping[str, str] = Field(default={}, description="Further named templates, such as tool_use")
    eos_token: str | None = Field(default=None, description="Ends an answer; default: from the Hub")
    bos_token: str | None = Field(default=None, description="Begins a prompt; default: from the Hub")
    special_tokens: Mapping[str, str | tuple[str, ...]] = Field(default={}, description="Further template variables")
    hub_repo: str | None = Field(default=None, description="Where templates are looked up; default: name")
    revision: str | None = Field(default=None, description="The repository's revision; default: main")
    stop_strings: tuple[str, ...] | None = Field(
        default=None, description="End markers beside the client's; default: [eos_token]"
    )
    strip_bos: Literal["auto", "always", "never"] = Field(
        default="auto", description="Whether the rendered prompt loses its bos_token"
    )
    limits: Limits = Field(default=Limits(), description="What the container refuses")
    default_max_tokens: Positive | None = Field(
        default=None, description="Length of an answer when the client names none"
    )
    clamp_max_tokens: bool = Field(default=False, description="Shorten what is asked for to what fits")
    max_n: Positive = Field(default=8, description="The most choices a request")
    unsupported_params: Literal["reject", "drop"] = Field(
        default="reject", description="What happens to parameters TGI has no equal of"
    )
    tools: Annotated[str, BeforeValidator(_off), Field(min_length=1)] = Field(
        default="grammar", description="off, grammar, or a parser: hermes, llama3, mistral"
    )
    json_object: Literal["reject", "regex"] = Field(
        default="regex", description="What response_format json_object does"
    )
    vision: bool = Field(default=False, description="Whether images are taken")
    image_hosts: tuple[str, ...] = Field(default=(), description="Hosts that images may be fetched from")
    prefill: Literal["continue", "new_turn"] = Field(
        default="continue", description="What a last assistant message means"
    )
    control_tokens_in_input: Literal["allow", "strip", "reject"] = Field(
        default="allow", description="Control tokens in messages"
    )
    adapter_id: str | None = Field(default=None, description="LoRA adapter, sent to TGI")
    upstream_api_key: Secret | None = Field(
        default=None, description="Key that the container asks for (TGI's --api-key)"
    )

    @field_validator("prefix")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        """As the gateway's record takes it."""
        if _PREFIX.fullmatch(value) is None:
            rule = "a prefix is a path: it begins with / and is ASCII without spaces, ? or #"
            raise problem(rule, "write for example /v1")
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
                    rule = f"{key} is for format: tgi, where the gateway writes the prompt"
                    yield key, problem(rule, "remove it, or write `format: tgi`")
            return
        if "prefix" in given:
            rule = "prefix is for format: openai, where the container has an OpenAI interface of its own"
            yield "prefix", problem(rule, "remove it, or write `format: openai`")
        if given.get("image_hosts") and not given.get("vision"):
            rule = "without vision no image is taken, from whatever host"
            yield "image_hosts", problem(rule, "write `vision: true`, or remove it")

    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {"type": "chat", "name": value, "format": "openai"} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _compile(template: str) -> None:
    """Compiles it as the gateway will."""
    try:
        compile_template(template)
    except TemplateInvalid as error:
        rule = f"a chat template is Jinja that compiles: {error.message}"
        raise problem(rule, "correct it, or remove it for the model's own from the Hub") from None
