"""`type: service`: a container, the instance that it needs, and how clients reach it."""

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
from infra.configuration.placement import Backends, InstanceTypes, Price, Regions, SpotPolicy, Zones
from infra.configuration.refusals import SERVICE
from infra.configuration.resources import Resources
from infra.configuration.section import Refusal, Written, problem
from infra.configuration.tags import Tags
from infra.configuration.traffic import Probe, RateLimit, Scaling

_GATEWAY_RULE = "`gateway` must be the name of the gateway's stack"
_GATEWAY_REMEDY = "write `gateway: NAME`, or remove the key to use the stack named gateway"

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
    """The configuration of a service. Sizes are in GB, durations in seconds."""

    refused: ClassVar[Mapping[str, Refusal]] = SERVICE
    required: ClassVar[Mapping[str, str]] = {"image": "unlike dstack, servestack has no default image"}
    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(Resources.model_fields, "under `resources`"),
        **dict.fromkeys(("format", "chat_template", "eos_token", "bos_token", "prefix"), "under `model`"),
    }

    type: Literal["service"] = Field(description="The type of configuration")
    name: str | None = Field(
        default=None,
        description="The run name. If not set, the stack name is used",
        json_schema_extra={"pattern": f"^(?!({'|'.join(RESERVED)})$){LABEL}$"},
    )
    image: Image = Field(
        description="The container image", examples=["ghcr.io/huggingface/text-generation-inference:latest"]
    )
    entrypoint: Entrypoint | None = Field(
        default=None, description="Replaces the image's entrypoint. The commands become its arguments"
    )
    commands: Commands = Field(
        default=(), description="Shell commands. Each runs only if the command before it succeeds"
    )
    env: Environment = Field(
        default={},
        repr=False,
        description="Environment variables: a list of NAME=value, or a map. NAME alone in a list takes its value "
        "from your environment or from stack config",
    )
    port: Port = Field(description='The port that the container listens on: 80, or "8000:80"', examples=[80])
    model: ModelConfiguration | None = Field(
        default=None, description="The model for the OpenAI API. A name alone means an OpenAI-compatible model server"
    )
    auth: bool | None = Field(
        default=None, description="Whether requests need an API key. If not set, the gateway's `auth` applies"
    )
    gateway: Annotated[str | None, WithJsonSchema(_GATEWAY_SCHEMA)] = Field(
        default=None, description="The gateway's stack. If not set, the stack named gateway is used"
    )
    resources: Resources = Field(default=Resources(), description="The resources that one replica needs")
    replicas: CountRange = Field(
        default=CountRange(min=1, max=1), description="The number of replicas, such as 2 or 1..4"
    )
    scaling: Scaling | None = Field(default=None, description="When replicas are added and removed")
    probes: tuple[Probe, ...] | None = Field(
        default=None, max_length=10, description="Requests that check whether a replica is healthy"
    )
    rate_limits: tuple[RateLimit, ...] = Field(default=(), description="Limits on the requests of each client")
    registry_auth: RegistryAuth | None = Field(default=None, description="Credentials for a private image")
    privileged: bool = Field(default=False, description="Whether the container runs in privileged mode")
    working_dir: WorkingDirectory | None = Field(
        default=None, description="The working directory. If not set, the image's working directory is used"
    )
    user: User | None = Field(
        default=None, description="The user in the container, such as 1000:1000. If not set, the image's user is used"
    )
    volumes: tuple[Volume, ...] = Field(
        default=(), description="Folders of the instance that the container can use, such as /data:/data"
    )
    backends: Backends | None = Field(
        default=None, description="dstack's list of clouds. `aws` must be in it; the others have no effect"
    )
    regions: Regions | None = Field(default=None, description="AWS regions to choose from")
    availability_zones: Zones | None = Field(default=None, description="Availability zones to choose from")
    instance_types: InstanceTypes | None = Field(default=None, description="EC2 instance types to choose from")
    spot_policy: SpotPolicy = Field(default="on-demand", description="How instances are bought")
    max_price: Price | None = Field(default=None, description="The highest price of an instance, in dollars per hour")
    tags: Tags = Field(default={}, description="Tags of the AWS resources")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        try:
            replicas = CountRange.model_validate(given.get("replicas") or 1)
        except ValidationError:
            return
        varies = replicas.min != replicas.max
        if varies and given.get("scaling") is None:
            remedy = "add `scaling:` with `metric: rps` and `target: …`, or write a single number"
            yield "replicas", problem("a range of replicas needs `scaling`", remedy)
        if not varies and given.get("scaling") is not None:
            rule = "`scaling` needs a range of replicas"
            yield "scaling", problem(rule, "write a range such as `replicas: 1..4`, or remove `scaling`")

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
        """Read a name, dstack's map with a name, or true for the default."""
        if value is False:
            raise problem("a service is always reached through a gateway", _GATEWAY_REMEDY)
        if isinstance(value, Mapping):
            given = cast(Mapping[str, object], value)
            if given.get("project") is not None or not given.keys() <= {"project", "name"}:
                raise problem(_GATEWAY_RULE, _GATEWAY_REMEDY)
            value = given.get("name", "")
        if isinstance(value, str) and "/" in value:
            raise problem(_GATEWAY_RULE + ", not project/name", _GATEWAY_REMEDY)
        if isinstance(value, str) and not re.fullmatch(STACK, value):
            raise problem(_GATEWAY_RULE + ": at most 100 letters, digits, -, _ and .", _GATEWAY_REMEDY)
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
            raise problem("a range of replicas must have an upper bound", "write a range such as 1..4")
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
            rule, remedy = "each rate limit must have a different prefix", "merge the limits that have the same prefix"
            raise problem(rule, remedy, found=f"{twice} more than once")
        return value

    @field_validator("probes")
    @classmethod
    def _are_different(cls, value: tuple[Probe, ...] | None) -> tuple[Probe, ...] | None:
        if value is not None and any(probe in value[:index] for index, probe in enumerate(value)):
            raise problem("each probe must be different", "remove the duplicate", found="the same probe twice")
        return value
