"""`type: service`: a container, the instance that it needs, and how clients reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import CountRange
from infra.configuration.base_image import Python, Shell, image_conflicts
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
from infra.configuration.files import Files, Repositories
from infra.configuration.gateway_name import GatewayName
from infra.configuration.image import Image
from infra.configuration.lasting import LongestRun, LongestStop, OptionalRetry, UtilizationPolicy
from infra.configuration.model import ModelConfiguration
from infra.configuration.names import LABEL, RESERVED, run_name_rule
from infra.configuration.placement import (
    Backends,
    InstanceTypes,
    Price,
    Regions,
    Reservation,
    SpotPolicy,
    Zones,
    purchase_conflicts,
)
from infra.configuration.refusals import SERVICE
from infra.configuration.replica_groups import (
    Groups,
    ReplicaGroup,
    Replicas,
    group_conflicts,
    scaling_conflicts,
)
from infra.configuration.resources import Resources
from infra.configuration.schedule import Schedule
from infra.configuration.section import Refusal, Written, problem
from infra.configuration.tags import Tags
from infra.configuration.traffic import Probe, RateLimit, Scaling


class ServiceConfiguration(Written, frozen=True):
    """The configuration of a service. Sizes are in GB, durations in seconds."""

    refused: ClassVar[Mapping[str, Refusal]] = SERVICE
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
    image: Image | None = Field(
        default=None,
        description="The container image. If not set, dstack's base image runs the commands",
        examples=["ghcr.io/huggingface/text-generation-inference:latest"],
    )
    python: Python | None = Field(
        default=None, description="The version of Python in the base image (only without image). If not set, 3.11"
    )
    nvcc: bool = Field(default=False, description="Whether the base image has a CUDA compiler (only without image)")
    docker: bool = Field(
        default=False,
        description="Whether the commands can use docker. dstack's image for that runs (only without image), and the "
        "container is privileged",
    )
    entrypoint: Entrypoint | None = Field(
        default=None, description="Replaces the image's entrypoint. The commands become its arguments"
    )
    commands: Commands = Field(
        default=(), description="Shell commands. Each runs only if the command before it succeeds"
    )
    shell: Shell | None = Field(
        default=None,
        description="The shell of the commands: sh, bash or a path. If not set, sh, or bash in the base image",
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
    gateway: GatewayName = Field(
        default=None,
        description="The gateway's stack. If not set, the stack named gateway is used. false means the same here: "
        "callers then use /services/<run name> of that gateway, as they use a path of dstack's server in dstack",
    )
    strip_prefix: bool = Field(
        default=True, description="Whether the gateway removes /services/<run name> from a path before it forwards it"
    )
    resources: Resources = Field(default=Resources(), description="The resources that one replica needs")
    replicas: Replicas = Field(
        default=CountRange(min=1, max=1), description="The number of replicas, such as 2 or 1..4; or a list of groups"
    )
    groups: Groups | None = Field(
        default=None, description="Groups of replicas that differ from each other. A list in `replicas` means the same"
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
    files: Files = Field(
        default=(), description="Files and folders of your machine that are copied into the container, such as app:/app"
    )
    repos: Repositories = Field(default=(), description="A git repository that is cloned into the container")
    backends: Backends | None = Field(
        default=None, description="dstack's list of clouds. `aws` must be in it; the others have no effect"
    )
    regions: Regions | None = Field(default=None, description="AWS regions to choose from")
    availability_zones: Zones | None = Field(default=None, description="Availability zones to choose from")
    instance_types: InstanceTypes | None = Field(default=None, description="EC2 instance types to choose from")
    spot_policy: SpotPolicy = Field(default="on-demand", description="How instances are bought")
    max_price: Price | None = Field(default=None, description="The highest price of an instance, in dollars per hour")
    reservation: Reservation | None = Field(
        default=None, description="The id of a Capacity Reservation or a Capacity Block that replicas run in"
    )
    schedule: Schedule | None = Field(
        default=None, description="When the service starts. If not set, it starts with `pulumi up`"
    )
    max_duration: LongestRun = Field(
        default=None, description="How long the service runs after each start of its schedule. If not set, without end"
    )
    stop_duration: LongestStop = Field(
        default=None,
        description="How long a replica that ends can finish its requests, at most 1h. If not set, 15 minutes",
    )
    retry: OptionalRetry = Field(
        default=None, description="How long `pulumi up` waits for capacity. true means an hour"
    )
    utilization_policy: UtilizationPolicy | None = Field(
        default=None, description="When the service ends because it does not use its GPUs"
    )
    tags: Tags = Field(default={}, description="Tags of the AWS resources")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        yield from image_conflicts(given)
        yield from purchase_conflicts(given)
        if given.get("max_duration") not in (None, "off", True, False) and given.get("schedule") is None:
            rule = "`max_duration` needs a `schedule`: without one, a service runs until you destroy its stack"
            yield "max_duration", problem(rule, "remove it, and run `pulumi destroy`; or add `schedule:`")
        yield from group_conflicts(given)
        if given.get("groups") is None and not isinstance(given.get("replicas"), list):
            yield from scaling_conflicts(given, "replicas")

    @property
    def replica_groups(self) -> tuple[ReplicaGroup, ...]:
        """The groups, each with a name; empty: all replicas are the same."""
        if self.groups is not None:
            return self.groups
        return self.replicas if isinstance(self.replicas, tuple) else ()

    @property
    def count(self) -> CountRange:
        """How many replicas there are, those of all groups together."""
        counts = [group.count for group in self.replica_groups]
        if isinstance(self.replicas, CountRange) and not counts:
            return self.replicas
        return CountRange(min=sum(one.min or 0 for one in counts), max=sum(one.max or 0 for one in counts))

    @field_validator("name")
    @classmethod
    def _is_a_run_name(cls, value: str | None) -> str | None:
        if value is not None and (wrong := run_name_rule(value)):
            raise problem(*wrong)
        return value

    @field_validator("nvcc", "docker", mode="before")
    @classmethod
    def _null_is_false(cls, value: object) -> object:
        return False if value is None else value

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
