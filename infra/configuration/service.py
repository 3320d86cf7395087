"""`type: service`: a container, the machine it needs, and how it is reached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field, ValidationError, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import CountRange
from infra.configuration.container import (
    Commands,
    Entrypoint,
    Port,
    RegistryAuth,
    User,
    Volume,
    WorkingDirectory,
)
from infra.configuration.environment import Environment
from infra.configuration.image import Image
from infra.configuration.model import ModelConfiguration
from infra.configuration.names import LABEL, RESERVED, STACK, run_name_rule
from infra.configuration.placement import InstanceTypes, Price, Regions, SpotPolicy, Zones
from infra.configuration.refusals import SERVICE
from infra.configuration.resources import Resources
from infra.configuration.section import Refusal, Written, problem
from infra.configuration.tags import Tags
from infra.configuration.traffic import Probe, RateLimit, Scaling

_GATEWAY_RULE = "a service names its gateway by the gateway's stack"
_GATEWAY_REMEDY = "write `gateway: NAME`, or leave it out for the stack named gateway"

_GATEWAY_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": f"^{STACK}$"},
        {"const": True},
        {
            "type": "object",
            "properties": {"name": {"type": "string", "pattern": f"^{STACK}$"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ]
}


class ServiceConfiguration(Written, frozen=True):
    """A service. Sizes in GB, durations in seconds."""

    refused: ClassVar[Mapping[str, Refusal]] = SERVICE
    required: ClassVar[Mapping[str, str]] = {"image": "unlike dstack, servestack has no image of its own"}
    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(Resources.model_fields, "under `resources`"),
        **dict.fromkeys(("format", "chat_template", "eos_token", "bos_token", "prefix"), "under `model`"),
    }

    type: Literal["service"] = Field(description="The type of configuration")
    name: str | None = Field(
        default=None,
        description="The run name; default: the stack's name",
        json_schema_extra={"pattern": f"^(?!({'|'.join(RESERVED)})$){LABEL}$"},
    )
    image: Image = Field(
        description="The container's image", examples=["ghcr.io/huggingface/text-generation-inference:latest"]
    )
    entrypoint: Entrypoint | None = Field(
        default=None, description="Replaces the image's entrypoint; commands become its arguments"
    )
    commands: Commands = Field(default=(), description="Shell commands, each run after the one before succeeded")
    env: Environment = Field(
        default={},
        repr=False,
        description="Environment variables: a list of NAME=value, or a map. A NAME alone in the list takes its value "
        "from your environment or from stack config",
    )
    port: Port = Field(description='The port the container listens on: 80, or "8000:80"', examples=[80])
    model: ModelConfiguration | None = Field(
        default=None, description="The model, for the OpenAI interface; a name alone is an OpenAI-compatible server's"
    )
    auth: bool | None = Field(default=None, description="Whether requests need a key; default: as the gateway says")
    gateway: Annotated[str | None, WithJsonSchema(_GATEWAY_SCHEMA)] = Field(
        default=None, description="The gateway's stack; default: gateway"
    )
    resources: Resources = Field(default=Resources(), description="What the machine of one replica must have")
    replicas: CountRange = Field(default=CountRange(min=1, max=1), description="How many replicas: 2, or 1..4")
    scaling: Scaling | None = Field(default=None, description="When replicas are added and taken away")
    probes: tuple[Probe, ...] | None = Field(
        default=None, max_length=10, description="Requests that tell whether a replica is healthy"
    )
    rate_limits: tuple[RateLimit, ...] = Field(default=(), description="The most requests that paths take")
    registry_auth: RegistryAuth | None = Field(default=None, description="Credentials for a private image")
    privileged: bool = Field(default=False, description="Whether the container runs privileged")
    working_dir: WorkingDirectory | None = Field(
        default=None, description="The working directory; default: the image's"
    )
    user: User | None = Field(default=None, description="The container's user, as in 1000:1000; default: the image's")
    volumes: tuple[Volume, ...] = Field(default=(), description="Folders of the machine, as in /data:/data")
    regions: Regions | None = Field(default=None, description="AWS regions to choose from")
    availability_zones: Zones | None = Field(default=None, description="Availability zones to choose from")
    instance_types: InstanceTypes | None = Field(default=None, description="EC2 instance types to choose from")
    spot_policy: SpotPolicy = Field(default="on-demand", description="Which instances are bought")
    max_price: Price | None = Field(default=None, description="The most an instance may cost, in dollars an hour")
    tags: Tags = Field(default={}, description="Tags of the AWS resources")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        try:
            replicas = CountRange.model_validate(given.get("replicas") or 1)
        except ValidationError:
            return
        varies = replicas.min != replicas.max
        if varies and given.get("scaling") is None:
            remedy = "add `scaling:` with `metric: rps` and `target: …`, or write one number of replicas"
            yield "replicas", problem("replicas that vary need a rule for when they do", remedy)
        if not varies and given.get("scaling") is not None:
            rule = "scaling needs replicas that vary"
            yield "scaling", problem(rule, "write a range, as in `replicas: 1..4`, or remove scaling")

    @field_validator("name")
    @classmethod
    def _is_a_run_name(cls, value: str | None) -> str | None:
        if value is not None and (wrong := run_name_rule(value)):
            raise problem(*wrong)
        return value

    @field_validator("commands")
    @classmethod
    def _unescape(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(command.replace("$${{", "${{") for command in value)

    @field_validator("gateway", mode="before")
    @classmethod
    def _read_gateway(cls, value: object) -> object:
        """A name, dstack's map of one, or true for the default."""
        if value is False:
            raise problem("a service is always reached through a gateway", _GATEWAY_REMEDY)
        if isinstance(value, Mapping):
            given = cast(Mapping[str, object], value)
            if given.get("project") is not None or not given.keys() <= {"project", "name"}:
                raise problem(_GATEWAY_RULE, _GATEWAY_REMEDY)
            value = given.get("name", "")
        if isinstance(value, str) and "/" in value:
            raise problem(_GATEWAY_RULE + ", and not as project/name", _GATEWAY_REMEDY)
        if isinstance(value, str) and not re.fullmatch(STACK, value):
            raise problem(_GATEWAY_RULE + ": letters, digits, -, _ and ., 100 at most", _GATEWAY_REMEDY)
        return None if value is True else value

    @field_validator("replicas", mode="before")
    @classmethod
    def _read_replicas(cls, value: object) -> object:
        if isinstance(value, list):
            refusal = SERVICE["groups"]
            raise problem(f"replica groups are not supported: {refusal.reason}", refusal.remedy)
        return CountRange(min=1, max=1) if value is None else value

    @field_validator("replicas")
    @classmethod
    def _is_bounded(cls, value: CountRange) -> CountRange:
        if value.max is None:
            raise problem("replicas have an upper bound", "write for example 1..4")
        return CountRange(min=value.min or 0, max=value.max)

    @field_validator("spot_policy", mode="before")
    @classmethod
    def _null_is_on_demand(cls, value: object) -> object:
        return "on-demand" if value is None else value

    @field_validator("rate_limits")
    @classmethod
    def _have_prefixes_of_their_own(cls, value: tuple[RateLimit, ...]) -> tuple[RateLimit, ...]:
        prefixes = [limit.prefix for limit in value]
        if twice := next((prefix for prefix in prefixes if prefixes.count(prefix) > 1), None):
            raise problem("each rate limit has a prefix of its own", "merge them", found=f"{twice} more than once")
        return value

    @field_validator("probes")
    @classmethod
    def _are_different(cls, value: tuple[Probe, ...] | None) -> tuple[Probe, ...] | None:
        if value is not None and any(probe in value[:index] for index, probe in enumerate(value)):
            raise problem("each probe is different", "remove what is there twice", found="the same probe twice")
        return value
