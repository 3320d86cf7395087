"""`type: service`: a container, the machine it needs, and how it is reached."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, field_validator

from infra.configuration.amounts import CountRange, Whole
from infra.configuration.environment import Environment
from infra.configuration.model import ModelConfiguration
from infra.configuration.names import run_name_rule
from infra.configuration.resources import Resources
from infra.configuration.secret import Secret
from infra.configuration.section import Refusal, Section, Written, problem
from infra.configuration.traffic import Probe, RateLimit, Scaling

_NETWORK_VOLUME = "network volumes are not supported: a replica is a new machine, in any zone"
_INSTANCE_PATH = "use a folder of the machine: /data:/data"

SpotPolicy = Literal["spot", "on-demand", "auto"]


class RegistryAuth(Section, frozen=True):
    """Credentials for a private image."""

    username: str = Field(description="The registry's user")
    password: Secret = Field(description="The user's password or token")


class Volume(Section, frozen=True):
    """A folder of the machine, seen in the container."""

    refused: ClassVar[Mapping[str, Refusal]] = {"name": Refusal(_NETWORK_VOLUME, _INSTANCE_PATH)}

    instance_path: str = Field(description="The folder on the machine")
    path: str = Field(description="Where the container sees it")
    optional: bool = Field(default=False, description="dstack's mark for backends without such volumes; EC2 has them")

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """`/data:/data`."""
        if not isinstance(value, str):
            return value
        parts = value.split(":")
        if len(parts) != 2:
            raise problem("a volume is two paths with a colon", _INSTANCE_PATH)
        if "/" not in parts[0]:
            raise problem(_NETWORK_VOLUME, _INSTANCE_PATH)
        return {"instance_path": parts[0], "path": parts[1]}

    @field_validator("instance_path", "path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        path = PurePosixPath(value)
        if not path.is_absolute() or ".." in path.parts:
            raise problem("a path begins with / and has no ..", "write the whole path")
        return str(path)


class ServiceConfiguration(Written, frozen=True):
    """A service. Sizes in GB, durations in seconds; `port` is the container's."""

    type: Literal["service"] = Field(description="service")
    name: str | None = Field(default=None, description="The run name; default: the stack's name")
    image: str = Field(min_length=1, description="The container's image")
    entrypoint: tuple[str, ...] | None = Field(
        default=None, description="Replaces the image's entrypoint; commands become its arguments"
    )
    commands: tuple[str, ...] = Field(default=(), description="Shell commands, one after the other")
    env: Environment = Field(default={}, repr=False, description="Environment variables, as a list or a map")
    port: Annotated[Whole, Field(ge=1, le=65535)] = Field(
        description='The port the container listens on: 80 or "8000:80"'
    )
    model: ModelConfiguration | None = Field(default=None, description="The model, for the OpenAI interface")
    auth: bool | None = Field(default=None, description="Whether a key is needed; default: as the gateway says")
    gateway: str | None = Field(default=None, description="The gateway's stack; default: gateway")
    resources: Resources = Field(default=Resources(), description="What one replica needs")
    replicas: CountRange = Field(default=CountRange(min=1, max=1), description="How many replicas: 2 or 1..4")
    scaling: Scaling | None = Field(default=None, description="When the number of replicas changes")
    probes: tuple[Probe, ...] | None = Field(
        default=None, description="Requests that tell whether a replica is healthy"
    )
    rate_limits: tuple[RateLimit, ...] = Field(default=(), description="The most requests that paths take")
    registry_auth: RegistryAuth | None = Field(default=None, description="Credentials for a private image")
    privileged: bool = Field(default=False, description="Whether the container runs privileged")
    working_dir: str | None = Field(default=None, description="The working directory in the container")
    user: str | None = Field(default=None, description="The user in the container: name or id, with :group")
    volumes: tuple[Volume, ...] = Field(default=(), description="Folders of the machine: /data:/data")
    regions: tuple[str, ...] | None = Field(default=None, description="AWS regions to choose from")
    availability_zones: tuple[str, ...] | None = Field(default=None, description="Availability zones to choose from")
    instance_types: tuple[str, ...] | None = Field(default=None, description="EC2 instance types to choose from")
    spot_policy: SpotPolicy = Field(default="on-demand", description="spot, on-demand or auto")
    max_price: float | None = Field(default=None, gt=0, description="The most a replica may cost, in dollars an hour")
    tags: Mapping[str, str] = Field(default={}, description="Tags of the AWS resources")

    @field_validator("name")
    @classmethod
    def _is_a_run_name(cls, value: str | None) -> str | None:
        if value is not None and (wrong := run_name_rule(value)):
            raise problem(*wrong)
        return value

    @field_validator("entrypoint", mode="before")
    @classmethod
    def _split_entrypoint(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return tuple(shlex.split(value))
        except ValueError:
            raise problem("an entrypoint is split as a shell does, and a quote is left open", "close it") from None

    @field_validator("port", mode="before")
    @classmethod
    def _container_port(cls, value: object) -> object:
        """`80`, `"8000:80"` and dstack's map: the part before the colon means nothing for a service."""
        rule, remedy = "a port is a whole number from 1 to 65535", 'write the container\'s port: 80 or "8000:80"'
        parts: list[object] = [value]
        if isinstance(value, str):
            parts = [*value.split(":")]
        elif isinstance(value, Mapping):
            given = cast(Mapping[object, object], value)
            if "container_port" not in given or not given.keys() <= {"local_port", "container_port"}:
                raise problem("a port's map has container_port", remedy)
            parts = [part for key in ("local_port", "container_port") if (part := given.get(key)) is not None]
        for part in parts:
            if (
                isinstance(part, bool)
                or not re.fullmatch(r"\d{1,5}", str(part), re.ASCII)
                or not 1 <= int(str(part)) <= 65535
            ):
                raise problem(rule, remedy)
        if len(parts) > 2:
            raise problem(rule, remedy)
        return int(str(parts[-1]))

    @field_validator("gateway", mode="before")
    @classmethod
    def _gateway_name(cls, value: object) -> object:
        if value is False:
            raise problem("a service is reached through a gateway", "remove it, or name the gateway's stack")
        if isinstance(value, Mapping):
            given = cast(Mapping[object, object], value)
            if given.get("project") is not None or not given.keys() <= {"project", "name"}:
                raise problem(
                    "a gateway is named by its stack", "write gateway: NAME; stack config takes org/project/stack"
                )
            value = given.get("name")
        if isinstance(value, str) and "/" in value:
            raise problem(
                "a gateway is named by its stack", "write gateway: NAME; stack config takes org/project/stack"
            )
        return None if value is True else value

    @field_validator("user")
    @classmethod
    def _is_a_user(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^:\s]+(:[^:\s]+)?", value):
            raise problem("a user is a name or a number, with :group if need be", "write for example 1000:1000")
        return value

    @field_validator("working_dir")
    @classmethod
    def _is_absolute(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/"):
            raise problem("a working directory begins with /", "write the whole path in the container")
        return value

    @field_validator("replicas", mode="before")
    @classmethod
    def _one_replica_by_default(cls, value: object) -> object:
        if isinstance(value, list):
            raise problem("replica groups are not supported", "write replicas: 2 or replicas: 1..4", found="")
        return 1 if value is None else value

    @field_validator("replicas")
    @classmethod
    def _has_a_most(cls, value: CountRange) -> CountRange:
        if value.max is None:
            raise problem("replicas have an upper bound", "write for example 1..4")
        return CountRange(min=value.min or 0, max=value.max)

    @field_validator("spot_policy", mode="before")
    @classmethod
    def _on_demand_by_default(cls, value: object) -> object:
        return "on-demand" if value is None else value

    @field_validator("tags", mode="before")
    @classmethod
    def _no_tags_by_default(cls, value: object) -> object:
        return {} if value is None else value
