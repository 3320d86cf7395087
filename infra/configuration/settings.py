"""The words of stack config for each type of stack. They are the options of dstack's command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from infra.configuration.alarms import AlarmEmail, AlarmTopic, Budget, alarm_conflicts
from infra.configuration.amounts import Duration, Positive, SizeRange, read_whole
from infra.configuration.environment import Environment, SecretsByName
from infra.configuration.gateway import Domain
from infra.configuration.image import BaseImage
from infra.configuration.keys import KeyOptions, Keys, read_list
from infra.configuration.names import STACK
from infra.configuration.placement import InstanceTypes, Price, Regions, SpotPolicy, Zones
from infra.configuration.resources import Cpu, Disk, Gpu
from infra.configuration.section import Section, problem

ANY_OR_NO_ORIGIN = frozenset(("*", "none"))
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")


def _is_a_stack(value: str) -> str:
    if not re.fullmatch(rf"{STACK}(/{STACK}/{STACK})?", value):
        rule = "`gateway` must be the name of the gateway's stack: at most 100 letters, digits, -, _ and ."
        raise problem(rule, "write a stack name, or org/project/stack")
    return value


def _is_time_to_boot(value: int) -> int:
    if not 60 <= value <= 86400:
        raise problem("boot_timeout must be from 1m to 24h", "write a duration such as 30m")
    return value


def _identifier(kind: str, pattern: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise problem(f"this must be the id of {kind}", f"copy the id from AWS: {pattern.partition('[')[0]}…")
        return value

    return AfterValidator(check)


Ami = Annotated[str, _identifier("a machine image", "ami-[0-9a-f]{8,17}")]
ZoneId = Annotated[str, _identifier("a hosted zone", "Z[A-Z0-9]{4,40}")]
VpcId = Annotated[str, _identifier("a VPC", "vpc-[0-9a-f]{8,17}")]
SubnetId = Annotated[str, _identifier("a subnet", "subnet-[0-9a-f]{8,17}")]
SubnetIds = Annotated[tuple[SubnetId, ...], Field(min_length=2)]


def _is_an_origin(value: str) -> str:
    text = value.lower()
    if text not in ANY_OR_NO_ORIGIN and not _ORIGIN.fullmatch(text):
        rule = "an origin is a scheme and a host, with a port if it is not the usual one, and without a path"
        raise problem(rule, "write *, none, or for example https://app.example.com", found=repr(value)[:80])
    return text


def _stands_alone(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > 1 and not ANY_OR_NO_ORIGIN.isdisjoint(value):
        raise problem("* and none stand alone", "write *, none, or only origins", found=",".join(value)[:80])
    return value


Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_is_an_origin)], ...],
    BeforeValidator(read_list),
    AfterValidator(_stands_alone),
    Field(min_length=1),
]


class ServiceSettings(Section, frozen=True):
    """The stack config of a service. None means that a word is not set, and the configuration applies."""

    configuration: str = Field(min_length=1, description="The path of the configuration")
    gateway: Annotated[str, AfterValidator(_is_a_stack)] | None = Field(
        default=None,
        description="The gateway's stack: a name or org/project/stack. If not set, the stack named gateway is used",
    )
    gpu: Gpu | None = Field(default=None, description="The GPUs, as in `resources.gpu`")
    cpu: Cpu | None = Field(default=None, description="The vCPUs, as in `resources.cpu`")
    memory: SizeRange | None = Field(default=None, description="The main memory, as in `resources.memory`")
    disk: Disk | None = Field(default=None, description="The root volume, as in `resources.disk`")
    env: Environment = Field(
        default={},
        repr=False,
        description="Environment variables. If one is secret, all of them are treated as secret",
    )
    secrets: SecretsByName = Field(
        default={}, repr=False, description="The secrets that the configuration refers to as ${{ secrets.NAME }}"
    )
    auth: bool | None = Field(default=None, description="Whether requests need an API key")
    spot_policy: SpotPolicy | None = Field(default=None, description="How instances are bought")
    max_price: Price | None = Field(default=None, description="The highest price of an instance, in dollars per hour")
    regions: Regions | None = Field(default=None, description="AWS regions: a list, or a,b")
    instance_types: InstanceTypes | None = Field(default=None, description="EC2 instance types: a list, or a,b")
    availability_zones: Zones | None = Field(default=None, description="Availability zones: a list, or a,b")
    ami: Ami | None = Field(default=None, description="The machine image. If not set, it is looked up once")
    base_image: BaseImage | None = Field(
        default=None,
        description="The name and version of the base image, to which -base-ubuntu24.04 or -devel-ubuntu24.04 is "
        "added. If not set, dstackai/base:0.16 of dstack",
    )
    capacity_block: bool = Field(
        default=False, description="Whether the configuration's reservation is a Capacity Block"
    )
    boot_timeout: Annotated[Duration, AfterValidator(_is_time_to_boot)] = Field(
        default=1800, description="How long a replica can take to become ready, from 1m to 24h"
    )
    on_failure: Literal["stop", "keep"] = Field(
        default="stop", description="What happens to replicas that do not become ready"
    )
    wait: bool = Field(default=True, description="Whether `pulumi up` waits until the service is ready")
    weight: Positive | None = Field(
        default=None, description="The run's weight among the runs that share its model name"
    )
    alarm_email: AlarmEmail = None
    alarm_topic: AlarmTopic = None
    budget: Budget = None
    preflight: bool = Field(
        default=True, description="Whether to run preflight, which asks AWS and the Hub before anything is created"
    )

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        yield from alarm_conflicts(given)


class GatewaySettings(Section, frozen=True):
    """The stack config of a gateway. The value of a word that is not set (None) is looked up or created."""

    configuration: str = Field(min_length=1, description="The path of the configuration")
    auth: bool = Field(
        default=True, description="Whether requests need an API key. A service's own `auth` overrides it"
    )
    keys: Keys = Field(
        default={"default": KeyOptions()},
        description="The API keys: names as a list or as a,b, or a map of names to options",
    )
    domain: Domain | None = Field(default=None, description="The domain, as in the configuration")
    zone_id: ZoneId | None = Field(
        default=None, description="The Route 53 hosted zone. If not set, it is looked up by domain"
    )
    vpc_id: VpcId | None = Field(default=None, description="An existing VPC. If not set, the stack creates one")
    subnet_ids: SubnetIds | None = Field(default=None, description="The subnets of the existing VPC: a list, or a,b")
    protect: bool = Field(
        default=True, description="Whether the table and the load balancer are protected from deletion"
    )
    manage_api_gateway_account: bool = Field(
        default=True, description="Whether the stack sets the account's API Gateway log role"
    )
    adapter_layer: str | None = Field(
        default=None, description="The ARN of the Lambda Web Adapter layer. If not set, a pinned version is used"
    )
    memory_size: Annotated[int, Field(ge=128, le=10240), BeforeValidator(read_whole)] = Field(
        default=256, description="The memory of the Lambda function, in MB"
    )
    reserved_concurrency: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(read_whole)] | None = Field(
        default=None,
        description="The gateway's reserved Lambda instances, which are also its limit. If not set, none are reserved",
    )
    audit: bool = Field(
        default=False, description="Whether to keep the load balancer's access log and the VPC's flow log"
    )
    alarm_email: AlarmEmail = None
    alarm_topic: AlarmTopic = None
    budget: Budget = None
    preflight: bool = Field(
        default=True, description="Whether to run preflight, which asks AWS before anything is created"
    )
    allowed_origins: Origins = Field(
        default=("*",), description="The origins whose web pages can call the gateway: *, none, a list, or a,b"
    )

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        yield from alarm_conflicts(given)
        if (given.get("vpc_id") is None) != (given.get("subnet_ids") is None):
            here, other = ("vpc_id", "subnet_ids") if given.get("vpc_id") is not None else ("subnet_ids", "vpc_id")
            yield here, problem("vpc_id and subnet_ids must be set together", f"set {other} too, or remove {here}")


StackSettings = ServiceSettings | GatewaySettings
